package accuracy

import (
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// The largest distance of a prediction from the kernel's real end: at the first
// judgement this or a hundredth of the time to wait, at the last one always this.
const (
	firstTolerance = 4 * time.Second
	lastTolerance  = 50 * time.Millisecond
	// If the fault itself moves the kernel's clock, a timeout may lie between the two.
	shakenTolerance = 7 * time.Second
)

// judgeEnd compares the end, the bytes and the predictions.
func (s *Score) judgeEnd(c Case, reports []flow.Event) {
	if len(reports) == 0 || s.Faults[Wrong] != "" {
		return
	}
	s.judgeWhen(c, reports)
	var ended *flow.Event
	for _, e := range reports {
		if e.Flow.Ended() {
			ended = &e
			s.judgeFalseEnd(c, e)
		}
		if c.Label.Never && !e.Flow.GivesUp.Never {
			s.fault(NotNever, true, "said at %s: %s", clock(e.Time), clock(e.Flow.GivesUp.At))
		}
	}
	if c.Label.Ends == flow.Recovered && (ended == nil || ended.Flow.Outcome != flow.Recovered) {
		s.fault(WrongEnd, c.sawRecovery(), "it recovered, and that was not said")
	}
	t := c.Truth
	switch {
	case t == nil:
	case t.Died.IsZero(), c.Label.Final().Symptom == flow.Truncated:
		s.judgeBytes(t, ended)
	case ended == nil && !c.watched(t.Died):
		s.Unwatched = true
	case ended == nil:
		s.fault(WrongEnd, true, "it died at %s with %s, and that was not said", clock(t.Died), t.Errno)
	default:
		if s.Unseen = ended.Flow.Outcome == ""; s.Unseen {
			s.fault(WrongEnd, false, "it died at %s with %s, which was not seen", clock(t.Died), t.Errno)
		} else if ended.Flow.Outcome != flow.TimedOut || ended.Flow.Err != t.Errno {
			s.fault(WrongEnd, true, "said at %s: %q %q at %s, the application read %s at %s",
				clock(ended.Time), ended.Flow.Outcome, ended.Flow.Err, clock(ended.Flow.EndedAt), t.Errno, clock(t.Died))
		}
		s.judgeBytes(t, ended)
		s.judgePredictions(c, reports, *ended)
	}
}

// judgeWhen: an end is reported when the application saw it, and no report
// follows it.
func (s *Score) judgeWhen(c Case, reports []flow.Event) {
	i := slices.IndexFunc(reports, func(e flow.Event) bool { return e.Flow.Ended() })
	if i < 0 {
		return
	}
	end := reports[i]
	if i+1 < len(reports) {
		s.fault(WrongEnd, true, "said %s at %s, and at %s that it ended", reports[i+1].Type, clock(reports[i+1].Time), clock(end.Time))
	}
	if c.Truth == nil {
		return
	}
	if at := c.Truth.Resumed; end.Flow.Outcome == flow.Recovered && (end.Time.Before(at.Add(-early)) || end.Time.After(at.Add(toldWithin))) {
		s.fault(WrongEnd, true, "said at %s that it recovered, it did at %s", clock(end.Time), clock(at))
	}
	if at := c.Truth.Died; end.Flow.Outcome == flow.TimedOut && !at.IsZero() && within(at, c.Truth.Lag, flow.GivesUp{At: end.Flow.EndedAt}).Abs() > early {
		s.fault(WrongEnd, true, "said that it ended at %s, it did at %s", clock(end.Flow.EndedAt), clock(at))
	}
}

const (
	early      = 500 * time.Millisecond // how much too early an end may be reported: the application looks ten times a second
	toldWithin = 6 * time.Second        // a regular file scan sees a recovery at the latest
)

// judgeFalseEnd: no open connection has ended, and only one whose fault was removed has
// recovered.
func (s *Score) judgeFalseEnd(c Case, e flow.Event) {
	if e.Flow.Outcome == flow.Recovered && c.Label.Ends != flow.Recovered {
		s.fault(WrongEnd, true, "said at %s that it recovered", clock(e.Time))
	}
	if c.Label.Ends == "" && c.Truth != nil && c.Truth.Alive {
		s.fault(WrongEnd, true, "said at %s that it ended (%s), and it stands open", clock(e.Time), e.Flow.Outcome)
	}
}

// watched reports whether an agent ran when a flow died, and had run for long enough to
// know it.
func (c Case) watched(died time.Time) bool {
	const acquainted = 8 * time.Second
	for _, w := range c.Up {
		if died.After(w.From.Add(acquainted)) && (w.To.IsZero() || died.Before(w.To.Add(-time.Second))) {
			return true
		}
	}
	return false
}

// sawRecovery reports whether an agent ran when a flow recovered, with the first
// retransmission after its fault was removed. An agent that starts later finds nothing
// stuck.
func (c Case) sawRecovery() bool { return c.Truth == nil || c.watched(c.Truth.Resumed) }

func (s *Score) judgeBytes(t *Truth, ended *flow.Event) {
	if ended == nil || ended.Flow.Outcome == flow.Recovered || !t.Steady {
		return
	}
	f := ended.Flow
	// The peer read bytes that were unsent at the application's last look: the
	// kernel sent them after it, and the peer's count is the truth.
	sentMore := t.Missing >= 0 && t.Missing < t.Unsent
	s.UnsentChecked = !sentMore
	if int64(f.Unsent) != t.Unsent && !sentMore {
		s.fault(WrongUnsent, true, "said: %d, the application's kernel held %d", f.Unsent, t.Unsent)
	}
	// The interval adds what the kernel held, and nothing more: after the
	// application's look that can only have become less.
	if int64(f.Unsent)+int64(f.Unacknowledged) > t.Unsent+t.Unacknowledged || !t.Died.IsZero() && !sentMore && int64(f.Unacknowledged) != t.Unacknowledged {
		s.fault(WrongLost, true, "said: %d unacknowledged, the application's kernel held %d", f.Unacknowledged, t.Unacknowledged)
	}
	if t.Missing < 0 {
		return
	}
	s.LostChecked = true
	if t.Missing < int64(f.Unsent) || t.Missing > int64(f.Unsent)+int64(f.Unacknowledged) {
		s.fault(WrongLost, true, "said: %d to %d, missing at the peer: %d", f.Unsent, f.Unsent+f.Unacknowledged, t.Missing)
	}
}

// judgePredictions compares two predictions with the time when the application
// saw the end: the first for the final symptom, whatever cause was reported with
// it, and the last one.
func (s *Score) judgePredictions(c Case, reports []flow.Event, ended flow.Event) {
	i := slices.IndexFunc(reports, func(e flow.Event) bool { return c.Label.aboutTheEnd(e) && !e.Flow.Ended() })
	if i < 0 {
		i = len(reports) - 1 // nothing was said of how it hung before it had ended
	}
	died, first, last := c.Truth.Died, reports[i].Flow, ended.Flow
	if first.GivesUp.At.IsZero() || last.GivesUp.At.IsZero() {
		s.fault(FirstLate, true, "not predicted: at first %+v, at last %+v", first.GivesUp, last.GivesUp)
		return
	}
	s.Predicted = true
	s.FirstOff, s.LastOff = within(died, c.Truth.Lag, first.GivesUp), within(died, c.Truth.Lag, last.GivesUp)
	if off := s.FirstOff.Abs(); off > max(firstTolerance, died.Sub(first.Since)/100) {
		s.fault(FirstLate, !c.Label.Shaken || off > shakenTolerance, "by %s", s.FirstOff)
	}
	if off := s.LastOff.Abs(); off > lastTolerance {
		s.fault(LastLate, !c.Label.Shaken || off > shakenTolerance, "by %s: said %s, it died at %s (noticed at most %s late)", s.LastOff, clock(last.GivesUp.At), clock(died), c.Truth.Lag)
	}
}

// within is how far a prediction is from a death that was seen at a time, or
// up to lag before.
func within(seen time.Time, lag time.Duration, predicted flow.GivesUp) time.Duration {
	if seen.Before(predicted.At) {
		return seen.Sub(predicted.At)
	}
	return max(0, seen.Sub(predicted.Latest())-lag)
}
