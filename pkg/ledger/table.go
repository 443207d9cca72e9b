package ledger

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// table is shared by the writer and the readers. Only the writer may read it
// without the lock.
type table struct {
	mu    sync.RWMutex
	slots map[flow.ID]*slot
	ended *endedEntries

	refused atomic.Uint64 // flows that found no room, or had to make room
}

func newTable(keepEnded int) *table {
	return &table{slots: map[flow.ID]*slot{}, ended: newEndedEntries(keepEnded)}
}

func (t *table) add(s *slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slots[s.entry.ID()] = s
}

func (t *table) show(s *slot, e *Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.entry = e
}

func (t *table) remove(id flow.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.slots, id)
}

func (t *table) end(e *Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended.put(e)
}

// entries returns the held flows, in no order.
func (t *table) entries() []*Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]*Entry, 0, len(t.slots))
	for _, s := range t.slots {
		all = append(all, s.entry)
	}
	return all
}

// over returns the flows that are over, latest first.
func (t *table) over() []*Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(t.ended.all())
}

// entry returns a held flow, else the latest one that is over; nil: there is
// none.
func (t *table) entry(id flow.ID) *Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if s, ok := t.slots[id]; ok {
		return s.entry
	}
	for e := range t.ended.all() {
		if e.ID() == id {
			return e
		}
	}
	return nil
}
