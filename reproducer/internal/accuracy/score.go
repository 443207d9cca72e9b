package accuracy

import (
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Case is one flow with all that is known of it.
type Case struct {
	Label  Label
	Truth  *Truth // nil: no application kept books on it
	Events []flow.Event
	Up     []Window  // when an agent ran
	Over   time.Time // when watching ended
}

// Fault is one way in which the agent was wrong about one flow.
type Fault string

// The faults.
const (
	Missed      Fault = "missed"             // nothing was reported
	Wrong       Fault = "wrong verdict"      // the last verdict was another one
	FalseAlarm  Fault = "false alarm"        // something was reported of a control
	WrongFirst  Fault = "wrong first report" // right in the end
	WrongTurn   Fault = "wrong in between"
	Forgotten   Fault = "not reported in time" // by one of the agents that ran while it hung
	WrongEnd    Fault = "wrong end"            // another outcome or error, or none
	WrongUnsent Fault = "wrong unsent bytes"
	WrongLost   Fault = "bytes lost outside their interval"
	FirstLate   Fault = "gives-up-at wrong at first"
	LastLate    Fault = "gives-up-at wrong at last"
	NotNever    Fault = "gives-up-at is not never"
	Untrue      Fault = "label contradicted by the kernel" // the injection had no effect: the run's own defect
)

// Score is the judgement on one flow.
type Score struct {
	Label    Label
	Seed     uint64
	Expected string // the verdict that was true in the end, or nothing
	Said     string // the agent's last verdict, or nothing
	First    string // its first verdict, or nothing
	Turn     string // the last that was wrong in between, or nothing
	Faults   map[Fault]string
	Gated    map[Fault]bool // of Faults, those that fail a run
	Delay    time.Duration  // from when the agent could know it to the first report
	Reported bool
	events   []flow.Event
	// Unwatched says that the flow died without an agent, or just after one
	// started: its end was not reported, and that is not demanded.
	Unwatched bool
	// Unseen says that the agent reported the end as unseen.
	Unseen bool
	Comparisons
}

// Comparisons are the numbers that could be compared.
type Comparisons struct {
	// For a predicted death.
	Predicted         bool
	FirstOff, LastOff time.Duration // the prediction's errors, by how much too early
	// For bytes that were compared.
	UnsentChecked, LostChecked bool
}

const nothing = "nothing"

// Judge compares the reports about a flow with the truth.
func Judge(c Case) Score {
	s := Score{events: c.Events, Label: c.Label, Expected: nothing, Said: nothing, First: nothing, Turn: nothing, Faults: map[Fault]string{}, Gated: map[Fault]bool{}}
	if !c.Label.Control() {
		s.Expected = c.Label.Final().String()
	}
	reports := c.reports()
	if len(reports) > 0 {
		s.Reported = true
		s.First, s.Said = verdictOf(reports[0]), verdictOf(reports[len(reports)-1])
	}
	s.judgeVerdict(c, reports)
	if c.Truth == nil && c.Label.Role == flow.Client && !slices.Contains(bookless, c.Label.Kind) {
		s.fault(Untrue, true, "its application kept no books on it")
	}
	if !c.Label.Control() {
		s.judgeTruth(c)
		s.judgeLives(c, reports)
		s.judgeEnd(c, reports)
	}
	return s
}

// bookless are the kinds with clients that keep no books: a proxy's connections, and
// attempts that never become connections. It is never written.
var bookless = []string{"sidecar", "syn-stale", "syn-filtered", "syn-answers-dropped"}

// reports returns the events that give a verdict.
func (c Case) reports() []flow.Event {
	var given []flow.Event
	for _, e := range c.Events {
		switch e.Type {
		case flow.EventStuck, flow.EventDataLost, flow.EventRevised, flow.EventEnded, flow.EventRecovered:
			given = append(given, e)
		}
	}
	return given
}

func verdictOf(e flow.Event) string {
	return string(e.Flow.Symptom) + " · " + string(e.Flow.Cause)
}

// fault records a fault. One that fails the run is not replaced by one that does not.
func (s *Score) fault(f Fault, gated bool, why string, args ...any) {
	if s.Gated[f] && !gated {
		return
	}
	s.Faults[f] = fmt.Sprintf(why, args...)
	s.Gated[f] = gated
}

func (s *Score) judgeVerdict(c Case, reports []flow.Event) {
	l := c.Label
	switch {
	case l.Control():
		s.judgeControl(c, reports)
	case len(reports) == 0 && c.hidden():
		s.Said = "nothing (withheld until it ended)"
	case len(reports) == 0:
		s.fault(Missed, true, "nothing was reported")
	default:
		first, last := reports[0], reports[len(reports)-1]
		if !c.right(last) {
			s.fault(Wrong, true, "%s: %s", verdictOf(last), last.Flow.Sentence)
		}
		if !l.True(first.Flow.Symptom, first.Flow.Cause, first.Time) {
			s.fault(WrongFirst, gone(l.Final().Cause) || gone(first.Flow.Cause), "%s: %s", verdictOf(first), first.Flow.Sentence)
		}
		s.judgeTurns(l, reports[1:])
		s.judgeRisk(c)
		s.Delay = first.Time.Sub(s.since(c))
	}
}

// judgeControl: a control is never reported; it may be at risk if its pod was deleted.
func (s *Score) judgeControl(c Case, reports []flow.Event) {
	if len(reports) > 0 {
		s.fault(FalseAlarm, true, "%s: %s", verdictOf(reports[0]), reports[0].Flow.Sentence)
		return
	}
	if len(c.Events) > 0 && !c.Label.Risky {
		s.fault(FalseAlarm, true, "%s: %s: %s", c.Events[0].Type, verdictOf(c.Events[0]), c.Events[0].Flow.Sentence)
	}
}

// judgeTurns: every verdict between the first and the end is true when it is reported. A
// living pod may never be called gone.
func (s *Score) judgeTurns(l Label, reports []flow.Event) {
	for _, e := range reports {
		if !e.Flow.Ended() && !l.True(e.Flow.Symptom, e.Flow.Cause, e.Time) {
			s.Turn = verdictOf(e)
			// The first verdict of an agent that started meanwhile is judged as the
			// first of all.
			first := e.Type == flow.EventStuck && gone(l.Final().Cause)
			s.fault(WrongTurn, first || gone(e.Flow.Cause), "%s: %s", verdictOf(e), e.Flow.Sentence)
		}
	}
}

// judgeRisk: a flow is at risk only if its pod was deleted.
func (s *Score) judgeRisk(c Case) {
	if c.Label.Risky {
		return
	}
	for _, e := range c.Events {
		deleted := func(v Verdict) bool { return gone(v.Cause) && !e.Time.Before(v.risksFrom()) }
		if e.Type == flow.EventAtRisk && !slices.ContainsFunc(c.Label.Verdicts, deleted) {
			s.Turn = verdictOf(e)
			s.fault(WrongTurn, true, "%s: %s", verdictOf(e), e.Flow.Sentence)
		}
	}
}

// hidden reports whether the agent could not know of the flow until it was over.
func (c Case) hidden() bool {
	return c.Truth != nil && !c.Truth.Died.IsZero() && c.idleAndWithheld(c.Truth.Died)
}

// right reports whether the last verdict is true at the end. Unknown is, and what was
// true before, if the evidence was withheld until then: an agent that has it again must
// say so.
func (c Case) right(e flow.Event) bool {
	v := c.Label.Final()
	if e.Flow.Symptom != v.Symptom {
		return false
	}
	return e.Flow.Cause == v.Cause || c.Label.excuses(v.Cause, c.closed()) && (e.Flow.Cause == flow.Unknown || c.Label.was(e.Flow.Symptom, e.Flow.Cause))
}

// closed is when no more could be reported of the flow.
func (c Case) closed() time.Time {
	for _, e := range c.reports() {
		if e.Flow.Ended() {
			return e.Time
		}
	}
	if c.Truth != nil && !c.Truth.Died.IsZero() {
		return c.Truth.Died
	}
	return c.Over
}

// since is when the flow began to hang: the first unanswered write or the fault,
// whichever came later.
func (s *Score) since(c Case) time.Time {
	since := c.Label.Verdicts[0].Since
	if c.Truth != nil && c.Truth.Asked.After(since) {
		return c.Truth.Asked
	}
	return since
}

// gone are the causes that are reported at once.
func gone(c flow.Cause) bool {
	return slices.Contains([]flow.Cause{flow.StaleConntrack, flow.PeerDeleted, flow.AddressReused}, c)
}

// judgeTruth demands that the flow really was as its label says.
func (s *Score) judgeTruth(c Case) {
	t := c.Truth
	if t != nil && c.Label.Ends == flow.Recovered && !t.Resumed.After(c.Label.Lifted) {
		s.fault(Untrue, true, "it had its answer at %s, and the fault was taken away at %s", clock(t.Resumed), clock(c.Label.Lifted))
	}
	if t == nil || c.Label.Ends == flow.Recovered {
		return
	}
	const settle = 1500 * time.Millisecond // for what was in flight when it began
	if first := c.Label.Verdicts[0]; !first.answers() && t.LastSegment.After(first.Since.Add(settle)) {
		s.fault(Untrue, true, "its last segment came at %s, the fault was at %s", clock(t.LastSegment), clock(first.Since))
	}
	if c.Label.Ends == flow.TimedOut && t.Died.IsZero() {
		s.fault(Untrue, true, "it did not end")
	}
}

func clock(t time.Time) string { return phrase.Milli(t, t) }
