package ledger

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// rotation gives every flow its turn.
type rotation struct {
	slots []*slot
	next  int
}

func (r *rotation) add(s *slot) {
	s.rotating = len(r.slots)
	r.slots = append(r.slots, s)
}

// remove puts the last flow in the place of the removed one. The turn of the
// former may come a round later.
func (r *rotation) remove(s *slot) {
	last := len(r.slots) - 1
	r.slots[s.rotating] = r.slots[last]
	r.slots[s.rotating].rotating = s.rotating
	r.slots[last] = nil
	r.slots = r.slots[:last]
}

// Turn returns the n flows whose turn it is, or all if there are fewer.
func (l *Ledger) Turn(n int) []flow.ID {
	r := &l.rotation
	ids := make([]flow.ID, 0, min(n, len(r.slots)))
	for range cap(ids) {
		if r.next >= len(r.slots) {
			r.next = 0
		}
		ids = append(ids, r.slots[r.next].entry.ID())
		r.next++
	}
	return ids
}
