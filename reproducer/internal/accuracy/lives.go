package accuracy

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// An agent that starts while a flow hangs needs two file scans, --stuck-after (3 s here),
// and the time until no FIN can come any more. One that was there before needs one scan.
const (
	findsAgain = 20 * time.Second
	findsSoon  = 12 * time.Second
)

// judgeLives demands that each agent that ran while the flow hung reports it in
// time: a report of an agent that has ended is not enough.
func (s *Score) judgeLives(c Case, reports []flow.Event) {
	if len(reports) == 0 || c.Label.Final().Symptom == flow.Truncated {
		return // that is reported when it happens, once
	}
	hung, closed := s.since(c), c.closed()
	if lifted := c.Label.Lifted; !lifted.IsZero() && lifted.Before(closed) {
		closed = lifted
	}
	var before time.Time // when the agent before it ended
	for _, up := range c.Up {
		from, to := later(hung, up.From), closed
		if !up.To.IsZero() && up.To.Before(to) {
			to = up.To
		}
		until := from.Add(findsSoon)
		if from.Equal(up.From) {
			until = from.Add(findsAgain)
		}
		if !to.Before(until) && !c.idleAndWithheldIn(from, until) && !tells(reports, before, until) {
			s.fault(Forgotten, true, "it hung from %s to %s, and the agent of %s said nothing until %s", clock(from), clock(to), clock(up.From), clock(until))
		}
		before = up.To
	}
}

func tells(reports []flow.Event, from, to time.Time) bool {
	for _, e := range reports {
		if !e.Time.Before(from) && !e.Time.After(to) {
			return true
		}
	}
	return false
}

// idleAndWithheld reports whether the agent could not know of the flow: it was
// idle, so without timeouts, and the records of its peer were withheld.
func (c Case) idleAndWithheld(at time.Time) bool {
	v := c.Label.Final()
	return v.Symptom == flow.HalfOpen && c.Label.excuses(v.Cause, at)
}

// idleAndWithheldIn: the same, at any time of a span.
func (c Case) idleAndWithheldIn(from, to time.Time) bool {
	for _, w := range c.Label.Withheld {
		if w.From.Before(to) && c.idleAndWithheld(later(from, w.From)) {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
