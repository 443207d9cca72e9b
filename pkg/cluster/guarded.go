package cluster

import "sync"

// guarded is the records and the one lock that guards them. Every reader and
// writer holds it. No type below it has a lock of its own, except the questions.
type guarded struct {
	mu      sync.RWMutex
	records *records
}

// write makes one change under the lock, and wakes the reader of the changes.
func (g *guarded) write(change func(*records)) {
	g.mu.Lock()
	change(g.records)
	changed := g.records.changes.any()
	g.mu.Unlock()
	if changed {
		g.records.changes.notify()
	}
}
