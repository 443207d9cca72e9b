package ledger

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// mostPassed bounds how many suppressed flows without room are remembered.
const mostPassed = 1 << 17

// passedOver are suppressed flows that found no room, by their snd_una. The
// sources are not asked about them again until they move or are reconsidered, so a
// flood of them costs only their ids.
type passedOver map[flow.ID]uint32

func (p passedOver) add(e *Entry) {
	if len(p) >= mostPassed {
		for id := range p { // any one: the sources are only asked about it again
			delete(p, id)
			break
		}
	}
	p[e.ID()] = e.reading.una
}

// over reports whether a flow was passed over and has not moved since.
func (p passedOver) over(s flow.Socket) bool {
	una, ok := p[s.ID]
	if ok && una != s.Una {
		delete(p, s.ID)
		return false
	}
	return ok
}

func (p passedOver) forget(id flow.ID) { delete(p, id) }

// Reconsider lets the sources be asked about passed-over flows again, because the
// records that suppress them have changed.
func (l *Ledger) Reconsider() {
	if len(l.passed) > 0 {
		clear(l.passed)
		l.owed.again()
	}
}
