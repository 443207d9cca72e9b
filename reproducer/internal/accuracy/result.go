package accuracy

import (
	"cmp"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Result is the result of one or more runs.
type Result struct {
	Seeds  []uint64
	Scores []Score
	// Strangers are reports about connections without a label.
	Strangers []string
	// Admitted is what the agent of a failed round says that it lost.
	Admitted []string
}

// Row is the result for one cause, or for the controls.
type Row struct {
	Expected  string
	Flows     int
	Said      map[string]int
	Right     int
	Claimed   int // how often it was the last verdict, rightly or not
	Delays    []time.Duration
	FirstOff  []time.Duration
	LastOff   []time.Duration
	ShakenOff []time.Duration // at last, of flows whose clock the fault moved
	Unsent    int             // compared
	Lost      int             // compared
	WrongMany map[Fault]int
	Counted   map[string]int // what fails no run, in words
}

// Add adds another result.
func (r *Result) Add(other Result) {
	r.Seeds = append(r.Seeds, other.Seeds...)
	r.Scores = append(r.Scores, other.Scores...)
	r.Strangers = append(r.Strangers, other.Strangers...)
}

// admit compares the unseen ends with the number that the agent counts: any beyond that
// are its fault.
func (r *Result) admit(unseen int) {
	n := 0
	for _, s := range r.Scores {
		if s.Unseen {
			n++
		}
	}
	for _, s := range r.Scores {
		if s.Unseen && n > unseen {
			s.Gated[WrongEnd] = true
		}
	}
}

// Rows returns a row for each verdict that was true, sorted, the controls
// last.
func (r Result) Rows() []Row {
	index := map[string]*Row{}
	for _, s := range r.Scores {
		row := index[s.Expected]
		if row == nil {
			row = &Row{Expected: s.Expected, Said: map[string]int{}, WrongMany: map[Fault]int{}, Counted: map[string]int{}}
			index[s.Expected] = row
		}
		row.add(s)
	}
	for _, s := range r.Scores {
		if row := index[s.Said]; row != nil {
			row.Claimed++
		}
	}
	rows := make([]Row, 0, len(index))
	for _, row := range index {
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		if (a.Expected == nothing) != (b.Expected == nothing) {
			if a.Expected == nothing {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Expected, b.Expected)
	})
	return rows
}

func (row *Row) add(s Score) {
	row.Flows++
	row.Said[s.Said]++
	if s.Faults[Missed] == "" && s.Faults[Wrong] == "" && s.Faults[FalseAlarm] == "" {
		row.Right++
	}
	if s.Reported && s.Expected != nothing {
		row.Delays = append(row.Delays, s.Delay)
	}
	if s.Predicted {
		row.FirstOff = append(row.FirstOff, s.FirstOff.Abs())
		if s.Label.Shaken {
			row.ShakenOff = append(row.ShakenOff, s.LastOff.Abs())
		} else {
			row.LastOff = append(row.LastOff, s.LastOff.Abs())
		}
	}
	if s.UnsentChecked {
		row.Unsent++
	}
	if s.LostChecked {
		row.Lost++
	}
	for f := range s.Faults {
		row.WrongMany[f]++
		if !s.Gated[f] {
			row.Counted[s.counts(f)]++
		}
	}
	if s.Unwatched {
		row.Counted["no agent was there when it died, or only just"]++
	}
}

// counts names a fault that fails nothing.
func (s Score) counts(f Fault) string {
	switch f {
	case WrongFirst:
		return "said at first: " + s.First
	case WrongTurn:
		return "said in between: " + s.Turn
	case FirstLate, LastLate:
		return string(f) + ", of a shaken clock"
	case WrongEnd:
		if s.Unseen {
			return "its end was shown to no program, which the agent counts"
		}
		return "it recovered while no agent was there, or only just"
	}
	return string(f)
}

// Failures returns the scores with a fault that fails a run.
func (r Result) Failures() []Score {
	var failed []Score
	for _, s := range r.Scores {
		if slices.ContainsFunc(s.gated(), func(Fault) bool { return true }) {
			failed = append(failed, s)
		}
	}
	return failed
}

// gated returns the faults that fail a run, in a fixed order.
func (s Score) gated() []Fault {
	var all []Fault
	for _, f := range faults {
		if s.Faults[f] != "" && s.Gated[f] {
			all = append(all, f)
		}
	}
	return all
}

// faults are all of them, the worst first. It is never written.
var faults = []Fault{
	Missed, Wrong, FalseAlarm, WrongFirst, WrongTurn, Forgotten, WrongEnd, WrongUnsent, WrongLost, FirstLate, LastLate, NotNever, Untrue,
}

// OK reports whether the run passed.
func (r Result) OK() bool {
	return len(r.Failures()) == 0 && len(r.Strangers) == 0 && len(r.Scores) > 0 && !r.blind()
}

// blind reports whether the agent says too often that it did not see an end: of
// more than one in fifty.
func (r Result) blind() bool {
	const few = 5 // come together, in one millisecond
	unseen, ends := r.ends()
	return unseen > few && unseen*50 > ends
}

// ends counts the ends that the agent did not see, and all ends.
func (r Result) ends() (unseen, all int) {
	for _, s := range r.Scores {
		if s.Unseen {
			unseen++
		}
		if s.Unseen || s.Predicted {
			all++
		}
	}
	return unseen, all
}

// quantile returns the p-quantile of some durations, 0 if there are none.
func quantile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// kinds counts flows by kind.
func (r Result) kinds() map[string]int {
	n := map[string]int{}
	for _, s := range r.Scores {
		n[s.Label.Kind]++
	}
	return n
}

// roles counts flows by role and by family.
func (r Result) roles() (roles map[flow.Role]int, families map[string]int) {
	roles, families = map[flow.Role]int{}, map[string]int{}
	for _, s := range r.Scores {
		roles[s.Label.Role]++
		families[s.Label.Family]++
	}
	return roles, families
}
