package inspector

import (
	"slices"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Store holds the live findings and the latest that ended. It is a
// flow.Reader; the inspector alone writes.
type Store struct {
	node, bootID string
	keepEnded    int

	mu       sync.RWMutex
	live     map[flow.ID]file
	ended    []file // oldest first
	suspects int
	health   []flow.Health
	stale    []flow.StaleEntry
}

// NewStore returns an empty store of findings on this node, as of this boot;
// it keeps the latest keepEnded that ended.
func NewStore(node, bootID string, keepEnded int) *Store {
	return &Store{node: node, bootID: bootID, keepEnded: keepEnded, live: map[flow.ID]file{}}
}

// Findings returns the live findings, muted ones included, oldest first.
func (s *Store) Findings() []flow.Finding {
	s.mu.RLock()
	files := make([]file, 0, len(s.live))
	for _, f := range s.live {
		files = append(files, f)
	}
	s.mu.RUnlock()
	slices.SortFunc(files, func(a, b file) int { return a.evidence.Socket.Since.Compare(b.evidence.Socket.Since) })
	return s.compose(files)
}

// Ended returns the findings that ended recently, latest first.
func (s *Store) Ended() []flow.Finding {
	s.mu.RLock()
	files := slices.Clone(s.ended)
	s.mu.RUnlock()
	slices.Reverse(files)
	return s.compose(files)
}

// Finding returns one finding, live or ended.
func (s *Store) Finding(id flow.ID) (flow.Finding, bool) {
	s.mu.RLock()
	f, ok := s.live[id]
	for i := len(s.ended) - 1; i >= 0 && !ok; i-- {
		f, ok = s.ended[i], s.ended[i].evidence.Socket.ID == id
	}
	s.mu.RUnlock()
	if !ok {
		return flow.Finding{}, false
	}
	return f.finding(s.node, s.bootID, time.Now()), true
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

func (s *Store) compose(files []file) []flow.Finding {
	now := time.Now()
	findings := make([]flow.Finding, len(files))
	for i, f := range files {
		findings[i] = f.finding(s.node, s.bootID, now)
	}
	return findings
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
	if len(s.ended) >= s.keepEnded {
		s.ended = slices.Delete(s.ended, 0, len(s.ended)-s.keepEnded+1)
	}
	s.ended = append(s.ended, f)
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
