package scenario

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Step is one thing that happened, T seconds after the start.
type Step struct {
	T    float64 `json:"t"`
	What string  `json:"what"`
}

// Timeline is what happened, in order, printed as it happens. It is safe for concurrent use.
type Timeline struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
	steps []Step
}

// NewTimeline starts a timeline that is printed to out.
func NewTimeline(out io.Writer) *Timeline { return &Timeline{out: out, start: time.Now()} }

// Add says that something happens now.
func (t *Timeline) Add(what string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Step{T: time.Since(t.start).Round(time.Millisecond).Seconds(), What: fmt.Sprintf(what, args...)}
	t.steps = append(t.steps, s)
	// A reader who left does not stop the play.
	_, _ = fmt.Fprintf(t.out, "%7.3fs  %s\n", s.T, s.What)
}

// Steps returns what happened so far.
func (t *Timeline) Steps() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Step{}, t.steps...)
}
