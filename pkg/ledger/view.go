package ledger

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// View is what readers see of a ledger. It implements flow.Reader and may be
// used from any goroutine. A finding is composed shortly before it is reached,
// outside every lock.
type View struct {
	node, bootID string
	table        *table

	mu     sync.RWMutex
	health []flow.Health
	stale  []flow.StaleEntry
}

// Each implements flow.Reader.
func (v *View) Each(q flow.Selection) iter.Seq[flow.Finding] {
	var live, over []*Entry
	if q.Live {
		live = v.oldestFirst()
	}
	if q.Ended {
		over = v.table.over()
	}
	present := func(yield func(flow.Finding) bool) {
		c := NewComposer(v.node, v.bootID)
		for _, e := range live {
			e = v.table.entry(e.ID()) // as it is by now
			if e == nil || e.life == Suspect || e.life == Over && !q.Ended {
				continue
			}
			if !yield(c.compose(e, q.Words)) {
				return
			}
		}
		for _, e := range over {
			if !yield(c.compose(e, q.Words)) {
				return
			}
		}
	}
	if len(live)+len(over) <= ahead {
		return present
	}
	return inAdvance(present)
}

// reported returns the flows that are reported, in no order.
func (v *View) reported() []*Entry {
	return slices.DeleteFunc(v.table.entries(), func(e *Entry) bool { return e.life != Stuck })
}

func (v *View) oldestFirst() []*Entry {
	all := v.reported()
	slices.SortFunc(all, func(a, b *Entry) int { return a.Since().Compare(b.Since()) })
	return all
}

// Facts implements flow.Reader.
func (v *View) Facts() iter.Seq[flow.Finding] {
	return func(yield func(flow.Finding) bool) {
		now := time.Now()
		for _, e := range v.reported() {
			if !yield(e.finding(v.node, v.bootID, now)) {
				return
			}
		}
	}
}

// Count implements flow.Reader.
func (v *View) Count() map[flow.Suppression]int {
	count := map[flow.Suppression]int{}
	for _, e := range v.reported() {
		count[e.Decision().Suppressed]++
	}
	return count
}

// IDs implements flow.Reader.
func (v *View) IDs() []flow.ID {
	var ids []flow.ID
	seen := map[flow.ID]struct{}{}
	for _, e := range slices.Concat(v.reported(), v.table.over()) {
		if _, twice := seen[e.ID()]; !twice { // it was stuck before
			ids = append(ids, e.ID())
		}
		seen[e.ID()] = struct{}{}
	}
	return ids
}

// Finding implements flow.Reader.
func (v *View) Finding(id flow.ID) (flow.Finding, bool) {
	e := v.table.entry(id)
	if e == nil || e.life == Suspect {
		return flow.Finding{}, false
	}
	return NewComposer(v.node, v.bootID).Finding(e, time.Now()), true
}

func (c *Composer) compose(e *Entry, words bool) flow.Finding {
	if words {
		return c.Finding(e, time.Now())
	}
	return e.finding(c.node, c.bootID, time.Now())
}

// Suspects implements flow.Reader.
func (v *View) Suspects() int {
	n := 0
	for _, e := range v.table.entries() {
		if e.life == Suspect {
			n++
		}
	}
	return n
}

// Refused implements flow.Reader.
func (v *View) Refused() uint64 { return v.table.refused.Load() }

// Health implements flow.Reader.
func (v *View) Health() []flow.Health {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.health)
}

// SetHealth publishes the health of every source.
func (v *View) SetHealth(h []flow.Health) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.health = h
}

// Stale implements flow.Reader: as of the last slow round.
func (v *View) Stale() []flow.StaleEntry {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.stale)
}

// SetStale publishes the conntrack entries that outlived their flows.
func (v *View) SetStale(entries []flow.StaleEntry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stale = entries
}
