package accuracy

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// findsAgain is how long a flow hangs until an agent that was started meanwhile
// has said so: two passes over all sockets, --stuck-after, and until no FIN can
// come any more.
const findsAgain = 20 * time.Second

// judgeLives demands that each agent that was there while the flow hung tells
// of it: the word of one that is no more is not enough.
func (s *Score) judgeLives(c Case, reports []flow.Event) {
	if len(reports) == 0 || c.Label.Final().Symptom == flow.Truncated {
		return // that is told when it happens, once
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
		if to.Sub(from) >= findsAgain && !c.idleAndWithheld(to) && !tells(reports, before, to) {
			s.fault(Forgotten, true, "it hung from %s to %s, and the agent of %s said nothing", clock(from), clock(to), clock(up.From))
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

// idleAndWithheld reports whether nobody could know of the flow: an idle one
// makes no sound, and who could tell of its peer was silent.
func (c Case) idleAndWithheld(at time.Time) bool {
	v := c.Label.Final()
	return v.Symptom == flow.HalfOpen && c.Label.excuses(v.Cause, at)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
