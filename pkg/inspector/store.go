package inspector

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Store holds the live findings and the latest that ended. It is a
// flow.Reader; the inspector alone writes.
type Store struct {
	node, bootID string

	mu       sync.RWMutex
	live     map[flow.ID]file
	ended    *endedFiles
	suspects int
	health   []flow.Health
	stale    []flow.StaleEntry
}

// NewStore returns an empty store of findings on this node, as of this boot;
// it keeps the latest keepEnded that ended, and of these no more of one owner
// than of others while there are too many.
func NewStore(node, bootID string, keepEnded int) *Store {
	return &Store{node: node, bootID: bootID, live: map[flow.ID]file{}, ended: newEndedFiles(keepEnded)}
}

// Each implements flow.Reader. Until a finding is reached it keeps no more of
// it than its id.
func (s *Store) Each(q flow.Selection) iter.Seq[flow.Finding] {
	var ids []flow.ID
	var past []*file
	if q.Live {
		ids = s.oldestFirst()
	}
	if q.Ended {
		s.mu.RLock()
		past = slices.Collect(s.ended.all())
		s.mu.RUnlock()
	}
	return func(yield func(flow.Finding) bool) {
		for _, id := range ids {
			f, ok := s.file(id)
			if !ok || !q.Ended && !f.endedAt.IsZero() {
				continue
			}
			if !yield(f.compose(q.Words, s.node, s.bootID, time.Now())) {
				return
			}
		}
		for _, f := range past {
			if !yield(f.compose(q.Words, s.node, s.bootID, time.Now())) {
				return
			}
		}
	}
}

// oldestFirst returns the ids of the live findings.
func (s *Store) oldestFirst() []flow.ID {
	type stamped struct {
		id    flow.ID
		since time.Time
	}
	s.mu.RLock()
	all := make([]stamped, 0, len(s.live))
	for id, f := range s.live {
		all = append(all, stamped{id, f.evidence.Socket.Since})
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b stamped) int { return a.since.Compare(b.since) })
	ids := make([]flow.ID, len(all))
	for i, f := range all {
		ids[i] = f.id
	}
	return ids
}

// Facts implements flow.Reader.
func (s *Store) Facts() []flow.Finding {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := time.Now()
	facts := make([]flow.Finding, 0, len(s.live))
	for _, f := range s.live {
		facts = append(facts, f.facts(s.node, s.bootID, now))
	}
	return facts
}

// Count implements flow.Reader.
func (s *Store) Count() map[flow.Mute]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	count := map[flow.Mute]int{}
	for _, f := range s.live {
		count[f.decision.Mute]++
	}
	return count
}

// IDs implements flow.Reader.
func (s *Store) IDs() []flow.ID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := make([]flow.ID, 0, len(s.live)+s.ended.latest.Len())
	for id := range s.live {
		ids = append(ids, id)
	}
	seen := make(map[flow.ID]struct{}, s.ended.latest.Len())
	for f := range s.ended.all() {
		id := f.evidence.Socket.ID
		_, live := s.live[id] // it was stuck before
		_, twice := seen[id]
		if !live && !twice {
			ids = append(ids, id)
		}
		seen[id] = struct{}{}
	}
	return ids
}

// Finding returns one finding, live or ended.
func (s *Store) Finding(id flow.ID) (flow.Finding, bool) {
	f, ok := s.file(id)
	if !ok {
		return flow.Finding{}, false
	}
	return f.finding(s.node, s.bootID, time.Now()), true
}

// file returns the live file of a flow, else the latest that ended.
func (s *Store) file(id flow.ID) (file, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if f, ok := s.live[id]; ok {
		return f, true
	}
	for f := range s.ended.all() {
		if f.evidence.Socket.ID == id {
			return *f, true
		}
	}
	return file{}, false
}

// Suspects returns how many flows are under suspicion and not reported.
func (s *Store) Suspects() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.suspects
}

// Health returns every source's health.
func (s *Store) Health() []flow.Health {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.health)
}

// Stale returns the conntrack entries that outlived their flows, as of the
// last slow round.
func (s *Store) Stale() []flow.StaleEntry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.stale)
}

func (s *Store) setStale(entries []flow.StaleEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale = entries
}

// put files a finding: among the live ones, or the ended ones.
func (s *Store) put(f file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.endedAt.IsZero() {
		s.live[f.evidence.Socket.ID] = f
		return
	}
	delete(s.live, f.evidence.Socket.ID)
	s.ended.put(&f)
}

func (s *Store) setSuspects(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspects = n
}

func (s *Store) setHealth(h []flow.Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = h
}
