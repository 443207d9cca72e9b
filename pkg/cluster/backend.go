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
	// Unread is true where a slice alone says that the pod above has Former's
	// address: its own record, which would tell since when, was not read yet.
	Unread bool
	// Unproven is true where the pod above is gone, and a slice alone says
	// that it had the address.
	Unproven bool
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
// means gone: a pod that had this very address, by its own record, was seen to
// go, to be replaced under its name, or to finish. A host-network address is
// never gone while its node is in the list. A source that is out of date at
// now leaves flow.BackendUnknown, and How says why.
//
// With port 0 it judges whoever has the address. Only a judgement for a flow,
// with its port, has the source asked for more (see Questions).
func (s *State) Backend(addr netip.AddrPort, now time.Time) Backend {
	return s.BackendVia(addr, netip.AddrPort{}, now)
}

// BackendVia is Backend for connections that were opened to a Service's
// address and translated. What that Service's own slices said is what
// kube-proxy went by, so their word that the pod was there stands, also where
// nobody has read its record. An address of no Service makes no difference.
func (s *State) BackendVia(addr, service netip.AddrPort, now time.Time) Backend {
	addr = unmap(addr)
	s.mu.RLock()
	defer s.mu.RUnlock()
	via := s.via(service)
	b := s.judge(addr, via)
	if addr.Port() != 0 { // a flow is behind it
		s.inquire(addr.Addr(), b, via, now)
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

// via returns the service of an address that a connection was opened to.
func (s *State) via(addr netip.AddrPort) Key {
	if !addr.IsValid() {
		return Key{}
	}
	svc, _ := s.service(unmap(addr))
	return Key{svc.Namespace, svc.Name}
}

// Departed returns since when a pod is not there any more that only a slice
// claims, or claimed, to have had the address. Whether it had it differs from
// one connection to the other: BackendVia says.
func (s *State) Departed(ip netip.Addr) (since time.Time, ok bool) {
	ip = ip.Unmap()
	s.mu.RLock()
	defer s.mu.RUnlock()
	look := func(r ref) {
		if f := s.fate(r); f.kind == dead && f.asked && f.at.After(since) && !s.had(r, ip) {
			since, ok = f.at, true
		}
	}
	for _, c := range s.addrs[ip].claimed("") {
		look(c.pod())
	}
	for _, f := range s.past.said(ip, "") {
		look(f.pod)
	}
	return since, ok
}

// doubt withdraws a judgement, and keeps it as evidence.
func (b *Backend) doubt(why string, since time.Time) {
	if b.State != flow.BackendUnknown {
		why += "; last known: " + string(b.State) + ", " + b.How
	}
	b.State, b.Since, b.How = flow.BackendUnknown, since, why
}

// Class tells what kind of thing an address is. It never says flow.PeerSelf:
// that is seen from the socket. With port 0 it leaves out the Services that have
// the address as an external or load-balancer IP.
func (s *State) Class(addr netip.AddrPort) flow.PeerClass {
	addr = unmap(addr)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, ok := s.service(addr); ok {
		return flow.PeerService
	}
	ip, a := addr.Addr(), s.addrs[addr.Addr()]
	switch {
	case a.holder() != nil:
		return flow.PeerPod
	case a.isHost():
		return flow.PeerNode
	case s.outside(a, ip) && !s.namesPod(ip, a):
		return flow.PeerExternal
	}
	return flow.PeerPod
}

// namesPod reports whether a slice lists, or listed, the address for a pod that
// may have it.
func (s *State) namesPod(ip netip.Addr, a *address) bool {
	for _, c := range a.claimed("") {
		if s.credible(c.pod(), c.node(), ip, c.since) {
			return true
		}
	}
	for _, f := range s.past.said(ip, "") {
		if s.credible(f.pod, f.node, ip, f.at) {
			return true
		}
	}
	return false
}

// credible reports whether a pod that a slice names may have an address. Its own
// record must be one that this source need not have, and must not contradict the
// slice. A pod that a lookup did not find is not credible. Neither is an endpoint
// without a pod: that may be any host.
func (s *State) credible(r ref, node string, ip netip.Addr, since time.Time) bool {
	return r.named() && (s.podsUnknown() != "" || !s.lists(node) && s.fate(r).kind != dead) && !s.refuted(r, ip, since)
}
