package ledger

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// mostPassed bounds how many suppressed flows are known that are not held.
const mostPassed = 1 << 17

// passedOver are suppressed flows that found no room, by where they stand. They
// are not asked about again until they move or are reconsidered: a flood of them
// costs no more than to know their ids.
type passedOver map[flow.ID]uint32

func (p passedOver) add(e *Entry) {
	if len(p) >= mostPassed {
		for id := range p { // any: it is only asked about again
			delete(p, id)
			break
		}
	}
	p[e.ID()] = e.reading.una
}

// over reports whether a flow was passed over and stands where it stood.
func (p passedOver) over(s flow.Socket) bool {
	una, ok := p[s.ID]
	if ok && una != s.Una {
		delete(p, s.ID)
		return false
	}
	return ok
}

func (p passedOver) forget(id flow.ID) { delete(p, id) }

// Reconsider has the flows that were passed over be asked about again, for the
// records by which they are suppressed are other ones.
func (l *Ledger) Reconsider() {
	if len(l.passed) > 0 {
		clear(l.passed)
		l.owed = owedLooks
	}
}
