package cluster

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// judge asks, in this order: the living pod that has the address, the slices
// that list it, who was there last, the node.
func (s *State) judge(addr netip.AddrPort) Backend {
	ip, a := addr.Addr(), s.addrs[addr.Addr()]
	if p := a.holder(); p != nil {
		return s.judgePod(a, p, addr)
	}
	listed, isListed := s.judgeListings(a, addr.Port())
	if isListed && listed.State != flow.BackendDeleted {
		return listed
	}
	// A slice may be behind, and name a pod that was not the last one there.
	former, hadFormer := s.judgeFormers(ip, a, addr.Port())
	if hadFormer && (!isListed || former.Since.After(listed.Since)) {
		return former
	}
	if isListed {
		return listed
	}
	if a != nil && a.node != nil {
		return Backend{
			Node: a.node.Name, HostNetwork: true, State: flow.BackendListed, How: "an address of node " + a.node.Name + ", which is in the list",
		}
	}
	return Backend{State: flow.BackendUnknown, HostNetwork: a.isHost(), How: "no record of " + ip.String()}
}

// judgeListings judges by the slices alone. Of several listings, the one
// that leaves the backend most alive decides.
func (s *State) judgeListings(a *address, port uint16) (Backend, bool) {
	if a == nil {
		return Backend{}, false
	}
	var best Backend
	for _, l := range a.listings {
		host := a.isHost() || s.hostPod(l.id())
		if host && !l.slice.serves(port) {
			continue // another process of the same host
		}
		b := s.judgeListing(l, host)
		if best.State == "" || rank(b.State) < rank(best.State) || b.State == best.State && b.Since.Before(best.Since) {
			best = b
		}
	}
	best.Services = a.services(port, func(l *listing) bool { return l.ep.PodUID == best.PodUID && l.ep.Pod == best.Pod })
	if best.Pod != "" && !best.HostNetwork {
		best.Former = s.lastDead(a.listings[0].ep.Addr, podID(Key{best.Namespace, best.Pod}, best.PodUID))
	}
	return best, best.State != ""
}

func (s *State) judgeListing(l *listing, host bool) Backend {
	b := Backend{Node: l.ep.Node, HostNetwork: host, Since: l.since}
	who := "an endpoint without a pod"
	if l.id() != "" {
		b.Namespace, b.Pod, b.PodUID = l.slice.Namespace, l.ep.Pod, l.ep.PodUID
		who = podName(l.pod(), l.ep.PodUID)
	}
	where := " in slice " + l.slice.Key().String()
	f := s.fate(l.id())
	b.know(f)
	switch why := s.podsUnknown(); {
	case f.kind == dead:
		s.bury(&b, f, host, who)
	case f.kind == unseen && why == "" && s.lists(l.ep.Node):
		b.State, b.How = flow.BackendUnknown, who+where+" is not in the list, and was never seen there"
	case l.ep.Terminating || f.terminating:
		b.State, b.How = flow.BackendTerminating, who+where+" is terminating"
	default:
		b.State, b.How = flow.BackendListed, who+" is"+where
	}
	return b
}

// judgeFormers judges an address that nobody has or lists by who was there
// last.
func (s *State) judgeFormers(ip netip.Addr, a *address, port uint16) (Backend, bool) {
	formers, _ := s.formers.get(ip)
	for _, f := range slices.Backward(formers) {
		host := a.isHost() || s.hostPod(f.id)
		if host && (f.slice == nil || !f.slice.serves(port)) {
			continue
		}
		b := s.judgeFormer(f, host)
		b.Services = s.lastServices(netip.AddrPortFrom(ip, port), f.id)
		return b, true
	}
	return Backend{}, false
}

func (s *State) judgeFormer(f former, host bool) Backend {
	b := Backend{
		Namespace: f.pod.Namespace, Pod: f.pod.Name, PodUID: f.uid, Node: f.node, HostNetwork: host, CreatedAt: f.created, Since: f.at,
	}
	who := podName(f.pod, f.uid)
	left := fmt.Sprintf("%s gave its address up at %s", who, clock(f.at))
	if f.slice != nil {
		left = fmt.Sprintf("left %s at %s", f.slice.service(), clock(f.at))
		if f.id != "" {
			left = who + " " + left
		}
	}
	fate, why := s.fate(f.id), s.podsUnknown()
	b.know(fate)
	switch {
	case fate.kind == unnamed:
		b.State, b.How = flow.BackendUnlisted, "an endpoint without a pod "+left
	case fate.kind == dead:
		s.bury(&b, fate, host, who)
		if fate.asked && b.State == flow.BackendDeleted && f.at.Before(b.Since) {
			b.Since = f.at // it was asked for because it left
		}
	case fate.kind == unseen && !s.lists(f.node):
		b.State, b.How = flow.BackendUnlisted, left+", and was not asked for yet"
	case why != "":
		b.State, b.How = flow.BackendUnknown, left+", and "+why
	case fate.kind == living:
		b.State, b.How = flow.BackendUnlisted, left+", and is in the list"
	default:
		b.State, b.How = flow.BackendUnknown, left+", and was never seen in the list"
	}
	return b
}

// know adds what a pod's own record says.
func (b *Backend) know(f fate) {
	if !f.created.IsZero() {
		b.CreatedAt = f.created
	}
	if b.Node == "" {
		b.Node = f.node
	}
}

// bury judges a backend whose pod is dead: gone, unless its address is a
// host's that nobody saw going.
func (s *State) bury(b *Backend, f fate, host bool, who string) {
	b.State, b.Since = flow.BackendDeleted, f.at
	b.How = fmt.Sprintf("%s was in the list until %s", who, clock(f.at))
	switch {
	case f.finished:
		b.How = fmt.Sprintf("%s finished, seen at %s", who, clock(f.at))
	case f.asked:
		b.How = fmt.Sprintf("%s was not found at %s", who, clock(f.at))
	}
	if !host {
		return
	}
	went, ok := s.goneNodes.get(b.Node)
	switch {
	case !ok:
		b.State = flow.BackendUnlisted
		b.How += ", but its address is its host's"
	case went.After(b.Since):
		b.Since = went
	}
}

// rank orders the states by how alive they leave a backend.
func rank(state flow.BackendState) int {
	return slices.Index([]flow.BackendState{
		flow.BackendListed, flow.BackendTerminating, flow.BackendUnlisted, flow.BackendUnknown, flow.BackendDeleted,
	}, state)
}
