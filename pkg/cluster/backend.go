package cluster

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Backend is what the records say of the address that packets go to. Empty
// fields are not known.
type Backend struct {
	Addr           netip.AddrPort
	Namespace, Pod string
	PodUID         string
	Node           string
	NodeState      NodeState
	HostNetwork    bool // the address is a node's: it is not given again
	State          flow.BackendState
	Since          time.Time // when State was first seen to hold; zero: not known
	How            string    // one clause of evidence for State
	Services       []string  // namespace/name of those that list it at this port, or did last; sorted
	CreatedAt      time.Time // of the pod
	// Former is the pod that had the address before the one above, and is
	// gone; nil: none is remembered.
	Former *Former
}

// Former is a pod that had an address and is gone.
type Former struct {
	Namespace, Pod string
	UID            string
	Node           string
	CreatedAt      time.Time
	GoneAt         time.Time // when it was seen to go, or to finish
}

// Flow returns the backend as a finding carries it.
func (b Backend) Flow() flow.Backend {
	return flow.Backend{Addr: b.Addr, Namespace: b.Namespace, Pod: b.Pod, Node: b.Node, State: b.State, Since: b.Since}
}

// Backend judges the address that packets go to. Only flow.BackendDeleted
// means gone: the pod that had the address, or that the slice's targetRef
// names, was seen to go, to be replaced under its name, or to finish. A
// host-network address is never gone while its node is in the list. A source
// that is out of date at now leaves flow.BackendUnknown, and How says why.
//
// With port 0 it judges whoever has the address. Only a judgement for a flow,
// with its port, has the source asked for more (see Questions).
func (s *State) Backend(addr netip.AddrPort, now time.Time) Backend {
	addr = unmap(addr)
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.judge(addr)
	if addr.Port() != 0 { // a flow is behind it
		s.inquire(addr.Addr(), b, now)
	}
	b.Addr, b.NodeState = addr, s.nodeState(b.Node, now)
	if s.health.source != "" {
		b.How += ", " + s.health.source
	}
	if why := s.distrust(now); why != "" {
		b.NodeState = ""
		b.doubt(why, s.distrustSince())
	} else if b.State == flow.BackendDeleted && s.podlessTooLong(now) {
		b.doubt(s.podsUnknown(), s.health.podless.Add(s.opts.MaxStaleness))
	}
	return b
}

// doubt withdraws a judgement, and keeps it as evidence.
func (b *Backend) doubt(why string, since time.Time) {
	if b.State != flow.BackendUnknown {
		why += "; last known: " + string(b.State) + ", " + b.How
	}
	b.State, b.Since, b.How = flow.BackendUnknown, since, why
}

// Class tells what kind of thing an address is. It never says flow.PeerSelf:
// that is seen from the socket.
func (s *State) Class(addr netip.AddrPort) flow.PeerClass {
	addr = unmap(addr)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, ok := s.service(addr); ok {
		return flow.PeerService
	}
	a := s.addrs[addr.Addr()]
	switch {
	case a.holder() != nil:
		return flow.PeerPod
	case a.isHost():
		return flow.PeerNode
	case s.namesPod(addr.Addr(), a), (a == nil || a.empty()) && s.amongPods(addr.Addr()):
		return flow.PeerPod
	}
	return flow.PeerExternal
}

// namesPod reports whether a slice lists the address for a pod, or a pod had
// it. A slice's address without a targetRef may be anything, anywhere.
func (s *State) namesPod(ip netip.Addr, a *address) bool {
	if a != nil {
		for _, l := range a.listings {
			if l.id() != "" {
				return true
			}
		}
	}
	formers, _ := s.formers.get(ip)
	for _, f := range formers {
		if f.id != "" {
			return true
		}
	}
	return false
}
