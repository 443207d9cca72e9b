package accuracy

import (
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Case is one flow with all that is known of it.
type Case struct {
	Label  Label
	Truth  *Truth // nil: nobody kept books on it
	Events []flow.Event
	Up     []Window  // when the agent was there
	Over   time.Time // when nothing was watched any more
}

// How far a prediction may be from the kernel's real end: at the first
// judgement that or a hundredth of the time to wait, at the last one always.
const (
	firstTolerance = 4 * time.Second
	lastTolerance  = 50 * time.Millisecond
)

// Fault is one way in which the agent was wrong about one flow.
type Fault string

// The faults.
const (
	Missed      Fault = "missed"             // nothing was reported
	Wrong       Fault = "wrong verdict"      // the last word was another one
	FalseAlarm  Fault = "false alarm"        // something was reported of a control
	WrongFirst  Fault = "wrong first report" // right in the end
	WrongEnd    Fault = "wrong end"          // another outcome or error, or none
	WrongUnsent Fault = "wrong unsent bytes"
	WrongLost   Fault = "bytes lost outside their interval"
	FirstLate   Fault = "gives-up-at wrong at first"
	LastLate    Fault = "gives-up-at wrong at last"
	NotNever    Fault = "gives-up-at is not never"
	Untrue      Fault = "label contradicted by the kernel" // the injection did not take: the run's own defect
)

// Score is how one flow was judged.
type Score struct {
	Label    Label
	Seed     uint64
	Expected string // the verdict that was true in the end, or nothing
	Said     string // the agent's last word, or nothing
	Faults   map[Fault]string
	Gated    map[Fault]bool // of Faults, those that fail a run
	Delay    time.Duration  // from when it could be known to the first report
	Reported bool
	events   []flow.Event
	// Of a death that was predicted.
	Predicted   bool
	First, Last time.Duration // the prediction's errors, by how much too early
	// Of bytes that were compared.
	UnsentChecked, LostChecked bool
}

const nothing = "nothing"

// Judge compares what was said of a flow with what is true of it.
func Judge(c Case) Score {
	s := Score{events: c.Events, Label: c.Label, Expected: nothing, Said: nothing, Faults: map[Fault]string{}, Gated: map[Fault]bool{}}
	if !c.Label.Control() {
		s.Expected = c.Label.Final().String()
	}
	reports := c.reports()
	if len(reports) > 0 {
		s.Reported = true
		s.Said = verdictOf(reports[len(reports)-1])
	}
	s.judgeVerdict(c, reports)
	if !c.Label.Control() {
		s.judgeTruth(c)
		s.judgeEnd(c, reports)
	}
	return s
}

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

func (s *Score) fault(f Fault, gated bool, why string, args ...any) {
	s.Faults[f] = fmt.Sprintf(why, args...)
	s.Gated[f] = gated
}

func (s *Score) judgeVerdict(c Case, reports []flow.Event) {
	l := c.Label
	switch {
	case l.Control() && len(reports) > 0:
		s.fault(FalseAlarm, true, "%s: %s", verdictOf(reports[0]), reports[0].Flow.Sentence)
	case l.Control():
	case len(reports) == 0 && c.hidden():
		s.Said = "nothing (withheld until it ended)"
	case len(reports) == 0:
		s.fault(Missed, true, "nothing was reported")
	default:
		first, last := reports[0], reports[len(reports)-1]
		if !l.right(last) {
			s.fault(Wrong, true, "%s: %s", verdictOf(last), last.Flow.Sentence)
		}
		if !l.True(first.Flow.Symptom, first.Flow.Cause, first.Time) {
			s.fault(WrongFirst, gone(l.Final().Cause), "%s: %s", verdictOf(first), first.Flow.Sentence)
		}
		s.Delay = first.Time.Sub(s.since(c))
	}
}

// hidden reports whether nobody could know of the flow: an idle one makes no
// sound, and it was over before the records that tell of its peer came back.
func (c Case) hidden() bool {
	t := c.Truth
	return c.Label.Final().Symptom == flow.HalfOpen && t != nil && !t.Died.IsZero() && c.Label.withheldAt(t.Died)
}

// right reports whether the last word is true at the end.
func (l Label) right(e flow.Event) bool {
	v := l.Final()
	if e.Flow.Symptom != v.Symptom {
		return false
	}
	return e.Flow.Cause == v.Cause || e.Flow.Cause == flow.Unknown && l.withheldAt(e.Time)
}

// since is when the flow began to hang: from its first unanswered write on, or
// from the fault on, whichever came later.
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
	if t == nil || c.Label.Ends == flow.Recovered {
		return
	}
	const settle = 1500 * time.Millisecond // what was under way when it began
	if first := c.Label.Verdicts[0]; first.Symptom == flow.Retransmitting && first.Cause != flow.PathDrop && t.Heard.After(first.Since.Add(settle)) {
		s.fault(Untrue, true, "it was heard at %s, the fault was at %s", clock(t.Heard), clock(first.Since))
	}
	if c.Label.Ends == flow.TimedOut && t.Died.IsZero() {
		s.fault(Untrue, true, "it did not end")
	}
}

// judgeEnd compares the end, the bytes and the predictions.
func (s *Score) judgeEnd(c Case, reports []flow.Event) {
	if len(reports) == 0 || s.Faults[Wrong] != "" {
		return
	}
	var ended *flow.Event
	for _, e := range reports {
		if e.Flow.Ended() {
			ended = &e
		}
	}
	if c.Label.Never && !reports[0].Flow.GivesUp.Never {
		s.fault(NotNever, true, "said at first: %s", clock(reports[0].Flow.GivesUp.At))
	}
	if c.Label.Ends == flow.Recovered && (ended == nil || ended.Flow.Outcome != flow.Recovered) {
		s.fault(WrongEnd, c.sawRecovery(), "it recovered, and that was not said")
	}
	t := c.Truth
	switch {
	case t == nil:
	case c.Label.Ends == "" && !t.Died.IsZero() && t.Missing < 0, t.Died.IsZero():
		s.judgeBytes(t, ended)
	case !c.watched(t.Died):
	case ended == nil:
		s.fault(WrongEnd, true, "it died at %s with %s, and that was not said", clock(t.Died), t.Errno)
	default:
		if ended.Flow.Outcome != flow.TimedOut || ended.Flow.Err != t.Errno {
			s.fault(WrongEnd, true, "said at %s: %q %q at %s, the application read %s at %s",
				clock(ended.Time), ended.Flow.Outcome, ended.Flow.Err, clock(ended.Flow.EndedAt), t.Errno, clock(t.Died))
		}
		s.judgeBytes(t, ended)
		s.judgePredictions(c, reports, *ended)
	}
}

// watched reports whether the agent was there when a flow died, and had been
// for long enough to know it.
func (c Case) watched(died time.Time) bool {
	const acquainted = 8 * time.Second
	for _, w := range c.Up {
		if died.After(w.From.Add(acquainted)) && (w.To.IsZero() || died.Before(w.To.Add(-time.Second))) {
			return true
		}
	}
	return false
}

// sawRecovery reports whether an agent was there all the time in which a flow
// recovered: one that comes later finds nothing stuck.
func (c Case) sawRecovery() bool {
	const recovers = 5 * time.Second
	lifted := c.Label.Lifted
	return lifted.IsZero() || c.watched(lifted) && c.watched(lifted.Add(recovers))
}

func (s *Score) judgeBytes(t *Truth, ended *flow.Event) {
	if ended == nil || ended.Flow.Outcome == flow.Recovered || !t.Steady {
		return
	}
	f := ended.Flow
	// Its peer read what was unsent when the application looked for the last
	// time: the kernel sent it after that, and the peer's count is the truth.
	sentMore := t.Missing >= 0 && t.Missing < t.Unsent
	s.UnsentChecked = !sentMore
	if int64(f.Unsent) != t.Unsent && !sentMore {
		s.fault(WrongUnsent, true, "said: %d, the application's kernel held %d", f.Unsent, t.Unsent)
	}
	if t.Missing < 0 {
		return
	}
	s.LostChecked = true
	if t.Missing < int64(f.Unsent) || t.Missing > int64(f.Unsent)+int64(f.Unacknowledged) {
		s.fault(WrongLost, true, "said: %d to %d, missing at the peer: %d", f.Unsent, f.Unsent+f.Unacknowledged, t.Missing)
	}
}

// judgePredictions holds what was predicted, at the first judgement that was
// right and at the last one, to when the application saw the end.
func (s *Score) judgePredictions(c Case, reports []flow.Event, ended flow.Event) {
	i := slices.IndexFunc(reports, func(e flow.Event) bool { return verdictOf(e) == s.Expected && !e.Flow.Ended() })
	if i < 0 {
		return
	}
	died, first, last := c.Truth.Died, reports[i].Flow, ended.Flow
	if first.GivesUp.At.IsZero() || last.GivesUp.At.IsZero() {
		s.fault(FirstLate, true, "not predicted: at first %+v, at last %+v", first.GivesUp, last.GivesUp)
		return
	}
	s.Predicted = true
	s.First, s.Last = within(died, c.Truth.Lag, first.GivesUp.At), within(died, c.Truth.Lag, last.GivesUp.At)
	if s.First.Abs() > max(firstTolerance, died.Sub(first.Since)/100) {
		s.fault(FirstLate, !c.Label.Shaken, "by %s", s.First)
	}
	if s.Last.Abs() > lastTolerance {
		s.fault(LastLate, !c.Label.Shaken, "by %s: said %s, it died at %s (noticed at most %s late)", s.Last, clock(last.GivesUp.At), clock(died), c.Truth.Lag)
	}
}

// within is how far a prediction is from a death that was seen at a time, or
// up to lag before.
func within(seen time.Time, lag time.Duration, predicted time.Time) time.Duration {
	off := seen.Sub(predicted)
	if off > 0 {
		return max(0, off-lag)
	}
	return off
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }
