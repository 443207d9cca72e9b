// Package cluster is what is known of Services, backends, pods and nodes, and
// of their past. It is pure state: a source writes what it saw and when, and
// nothing here reads a clock.
//
// Its heart is the state of a backend. Only flow.BackendDeleted means gone:
// the pod that had the address was seen to go, or to finish. Whatever else
// becomes of an endpoint leaves a backend that may well be alive, and a
// source that is out of date says nothing.
package cluster

import (
	"net/netip"
	"sync"
	"time"
)

// Options of a State.
type Options struct {
	// MaxStaleness is how long the source may be down before nothing is
	// concluded from it any more.
	MaxStaleness time.Duration
	// Names are labels for addresses outside the cluster.
	Names []Name
	// Node is the name of this node; empty: not known.
	Node string
	// Memory bounds each record of the past (pods, endpoints, services,
	// nodes that went), in entries; 0: 10,000.
	Memory int
}

const defaultMemory = 10_000

// State is what is known of the cluster. It is safe for concurrent use.
//
// It takes over the slices in what it is given, and shares those in what it
// returns: neither may be changed.
type State struct {
	opts    Options
	names   []Name
	changed chan struct{}
	// questions has a lock of its own: readers ask.
	questions *questions

	mu       sync.RWMutex
	interned interner
	touched  map[netip.Addr]struct{}
	health   health
	limited  bool // the source lists the pods of podsOf only, and no nodes
	podsOf   string

	pods      map[Key]*pod
	podsByUID map[string]*pod
	slices    map[Key]*slice
	nodes     map[string]*node
	services  map[Key]*service
	// slicesOf holds the slices of each service.
	slicesOf map[Key][]*slice
	// addrs holds who has each address now, and who says so.
	addrs map[netip.Addr]*address
	// podNets holds the networks in which pods were seen; see podnets.go.
	podNets map[netip.Prefix]struct{}
	// holds are the services that take each address and port; see holds.go.
	holds map[netip.AddrPort]holds

	// The past, bounded.
	past         past
	gonePods     *fifo[ref, gone]
	goneNodes    *fifo[string, time.Time]
	goneServices *fifo[netip.AddrPort, formerHold]
}

// New returns a State that knows nothing yet: until the first
// SetHealth(true, …) every backend is unknown.
func New(opts Options) *State {
	memory := opts.Memory
	if memory <= 0 {
		memory = defaultMemory
	}
	return &State{
		opts:         opts,
		names:        sortNames(opts.Names),
		changed:      make(chan struct{}, 1),
		questions:    newQuestions(memory),
		interned:     make(interner),
		touched:      make(map[netip.Addr]struct{}),
		pods:         make(map[Key]*pod),
		podsByUID:    make(map[string]*pod),
		slices:       make(map[Key]*slice),
		nodes:        make(map[string]*node),
		services:     make(map[Key]*service),
		slicesOf:     make(map[Key][]*slice),
		addrs:        make(map[netip.Addr]*address),
		podNets:      make(map[netip.Prefix]struct{}),
		holds:        make(map[netip.AddrPort]holds),
		past:         newPast(memory),
		gonePods:     newFIFO[ref, gone](memory),
		goneNodes:    newFIFO[string, time.Time](memory),
		goneServices: newFIFO[netip.AddrPort, formerHold](memory),
	}
}

// Changed receives when TakeChanged or Health may have something new.
// Changes that come together are told once.
func (s *State) Changed() <-chan struct{} { return s.changed }

// TakeChanged returns the backend and service addresses whose answer may
// have changed since the last call. It is empty when only the health of the
// source changed, which concerns every address.
func (s *State) TakeChanged() map[netip.Addr]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.touched
	s.touched = make(map[netip.Addr]struct{})
	return t
}

func (s *State) touch(addrs ...netip.Addr) {
	for _, a := range addrs {
		s.touched[a] = struct{}{}
	}
}

// tell wakes the reader of Changed. It is called after a write, unlocked.
func (s *State) tell(something bool) {
	if !something {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// write runs one change under the lock and tells of it.
func (s *State) write(change func()) {
	s.mu.Lock()
	change()
	something := len(s.touched) > 0
	s.mu.Unlock()
	s.tell(something)
}
