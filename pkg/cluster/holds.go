package cluster

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

// hold is a service's claim to an address and port.
type hold struct {
	owner *service
	kind  AddressKind
	at    int // in its holds
}

// formerHold is a hold that ended, and that nobody took over.
type formerHold struct {
	service Key
	kind    AddressKind
	at      time.Time // when it ended
}

// holds are the services that claim one address and port, as a heap: the
// first is whose it is. Any tenant may write an external IP into a Service,
// and the API server gives a ClusterIP to one alone: so a ClusterIP goes
// before a load balancer's address, that before an external IP, and among
// equals the oldest Service.
type holds []*hold

// strength orders the kinds, the strongest first.
var strength = []AddressKind{ClusterIP, LoadBalancerIP, ExternalIP, NodePort}

func (k AddressKind) strength() int { return slices.Index(strength, k) }

// before reports whether a hold outranks another.
func (h *hold) before(g *hold) bool {
	if h.kind != g.kind {
		return h.kind.strength() < g.kind.strength()
	}
	if by := h.owner.CreatedAt.Compare(g.owner.CreatedAt); by != 0 {
		return by < 0
	}
	return ref{Key: h.owner.Key()}.compare(ref{Key: g.owner.Key()}) < 0
}

// Len implements heap.Interface.
func (s holds) Len() int { return len(s) }

// Less implements heap.Interface.
func (s holds) Less(i, j int) bool { return s[i].before(s[j]) }

// Swap implements heap.Interface.
func (s holds) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].at, s[j].at = i, j
}

// Push implements heap.Interface.
func (s *holds) Push(x any) {
	h := x.(*hold)
	h.at = len(*s)
	*s = append(*s, h)
}

// Pop implements heap.Interface.
func (s *holds) Pop() any {
	last := len(*s) - 1
	h := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return h
}

// take adds a hold at an address and port.
func (s *State) take(at netip.AddrPort, h *hold) {
	list := s.holds[at]
	heap.Push(&list, h)
	s.holds[at] = list
	// Who takes the address of a Service that is gone by a weaker claim does
	// not take its past.
	if f, ok := s.goneServices.get(at); ok && h.kind.strength() <= f.kind.strength() {
		s.goneServices.drop(at)
	}
	s.touch(at.Addr())
}

// loosen ends a hold. It is remembered unless another has the address, or
// this one never had it.
func (s *State) loosen(at netip.AddrPort, h *hold, when time.Time) {
	list := s.holds[at]
	first := h.at == 0
	heap.Remove(&list, h.at)
	if s.holds[at] = list; len(list) == 0 {
		delete(s.holds, at)
	}
	if first && (len(list) == 0 || list[0].kind.strength() > h.kind.strength()) {
		key := h.owner.Key()
		s.goneServices.put(key.Namespace, at, formerHold{service: key, kind: h.kind, at: when})
	}
	s.touch(at.Addr())
}
