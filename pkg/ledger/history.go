package ledger

import (
	"fmt"
	"slices"
	"time"
	"unique"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	firstSteps  = 3  // kept of a flow's history
	latestSteps = 20 // the same
	datedSteps  = 3  // most that story adds
)

// history is a flow's story: its first and its latest steps, and how many were
// left out between them.
type history struct {
	steps []flow.Step // never changed: a flow's next entry may share them
	left  int
}

// with returns the history with one more step. Many flows share its words.
func (h history) with(at time.Time, line string) history {
	step := flow.Step{At: at, What: unique.Make(line).Value()}
	if len(h.steps) < firstSteps+latestSteps {
		return history{append(slices.Clip(h.steps), step), h.left}
	}
	steps := append(slices.Clone(h.steps[:firstSteps]), h.steps[firstSteps+1:]...)
	return history{append(steps, step), h.left + 1}
}

// latest returns when the last step was made; zero: there is none.
func (h history) latest() time.Time {
	if len(h.steps) == 0 {
		return time.Time{}
	}
	return h.steps[len(h.steps)-1].At
}

// all returns the steps, with a line for those that were left out. The slice has
// room for the steps that story adds.
func (h history) all() []flow.Step {
	if len(h.steps) == 0 {
		return nil
	}
	steps := append(make([]flow.Step, 0, 1+len(h.steps)+datedSteps), h.steps...)
	if h.left == 0 {
		return steps
	}
	between := flow.Step{At: steps[firstSteps].At, What: fmt.Sprintf("%d steps before this one are left out", h.left)}
	return slices.Insert(steps, firstSteps, between)
}
