package cluster

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// judge asks, in this order: the living pod that has the address by its own
// record, the slices that list it, who was there last, the node. Via is the
// Service that sent the connection there; zero: none did.
func (s *State) judge(addr netip.AddrPort, via Key) Backend {
	ip, a := addr.Addr(), s.addrs[addr.Addr()]
	if p := a.holder(); p != nil {
		return s.judgePod(a, p, addr, via)
	}
	listed, isListed := s.judgeClaims(a, addr, via)
	if isListed && listed.State != flow.BackendDeleted && !listed.Unproven {
		return listed
	}
	// A slice may be behind, and name a pod that was not the last one there.
	former, hadFormer := s.judgeFormers(a, addr, via)
	if hadFormer && (!isListed || listed.Unproven || former.Since.After(listed.Since)) {
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

// hearsay reports whether only a slice speaks of an address outside the cluster,
// and no record supports it. Any tenant may list any address. So such a slice
// counts only for connections that a Service sent there, or if the source has no
// records of pods.
func (s *State) hearsay(r ref, node string, since time.Time, ip netip.Addr, via Key) bool {
	if via != (Key{}) || s.podsUnknown() != "" || !s.outside(s.addrs[ip], ip) {
		return false
	}
	return !s.had(r, ip) && !s.credible(r, node, ip, since)
}

// speaker returns the namespace whose slices are listened to about an address
// that no living pod is known to have: that of the pod that had it last and is
// dead, for nobody else's slice revives it; else that of the Service; empty:
// any.
func (s *State) speaker(ip netip.Addr, via Key) string {
	had := s.past.had(ip)
	if len(had) == 0 {
		return via.Namespace
	}
	if last := had[len(had)-1]; s.fate(last.pod).kind == dead {
		if s.vouches(via, ip) {
			return via.Namespace
		}
		return last.pod.Namespace
	}
	return via.Namespace
}

// vouches reports whether a Service's own slice names a pod at an address
// whose record nobody has read yet: what the Service sends there goes to that
// pod, as far as is known, whoever had the address before.
func (s *State) vouches(via Key, ip netip.Addr) bool {
	if via == (Key{}) {
		return false
	}
	return slices.ContainsFunc(s.addrs[ip].claimed(via.Namespace), func(c *claim) bool {
		return c.of(via) && !s.lists(c.node()) && s.fate(c.pod()).kind == unseen
	})
}

// judgeClaims judges by the slices alone. Of several claims, the one that
// leaves the backend most alive decides.
func (s *State) judgeClaims(a *address, addr netip.AddrPort, via Key) (best Backend, ok bool) {
	ip := addr.Addr()
	var by *claim
	for _, c := range a.claimed(s.speaker(ip, via)) {
		host := a.isHost() || s.hostPod(c.pod())
		if host && !c.serves(addr.Port()) {
			continue // another process of the same host
		}
		if s.refuted(c.pod(), ip, c.since) || s.hearsay(c.pod(), c.node(), c.since, ip, via) {
			continue
		}
		b := s.judgeClaim(c, ip, via, host)
		if by == nil || rank(b.State) < rank(best.State) || b.State == best.State && b.Since.Before(best.Since) {
			best, by = b, c
		}
	}
	if by == nil {
		return Backend{}, false
	}
	best.Services = services([]*claim{by}, addr.Port())
	if best.Pod != "" && !best.HostNetwork {
		best.Former = s.lastDead(ip, by.pod(), via)
		best.Unread = best.Former != nil && s.fate(by.pod()).kind == unseen
	}
	return best, true
}

func (s *State) judgeClaim(c *claim, ip netip.Addr, via Key, host bool) Backend {
	b := Backend{Node: c.node(), HostNetwork: host, Since: c.since}
	who := "an endpoint without a pod"
	if c.pod().named() {
		b.Namespace, b.Pod, b.PodUID = c.pod().Namespace, c.pod().Name, c.pod().UID
		who = c.pod().String()
	}
	where := " in slice " + c.first.slice.Key().String()
	f := s.fate(c.pod())
	b.know(f)
	switch why := s.podsUnknown(); {
	case f.kind == dead && s.proven(c.pod(), f, ip, c.of(via)):
		s.bury(&b, f, host, who)
	case f.kind == dead:
		b.unprove(f, who+where)
	case f.kind == unseen && why == "" && s.lists(c.node()):
		b.State, b.How = flow.BackendUnknown, who+where+" is not in the list, and was never seen there"
	case c.terminating > 0 || f.terminating:
		b.State, b.How = flow.BackendTerminating, who+where+" is terminating"
	default:
		b.State, b.How = flow.BackendListed, who+" is"+where
	}
	return b
}

// judgeFormers judges an address that nobody has or lists by who was there
// last.
func (s *State) judgeFormers(a *address, addr netip.AddrPort, via Key) (Backend, bool) {
	ip := addr.Addr()
	for _, f := range slices.Backward(s.formers(ip, s.speaker(ip, via))) {
		host := a.isHost() || s.hostPod(f.pod)
		if host && (f.slice == nil || !f.slice.serves(addr.Port())) {
			continue
		}
		fate := s.fate(f.pod)
		if fate.kind == dead && !fate.asked && !s.had(f.pod, ip) {
			continue // its own record said that it was elsewhere
		}
		if s.hearsay(f.pod, f.node, f.at, ip, via) {
			continue
		}
		b := s.judgeFormer(f, fate, ip, via, host)
		b.Services = s.lastServices(addr, f.pod)
		if b.State != flow.BackendDeleted && !host {
			b.Former = s.lastDead(ip, f.pod, via)
			b.Unread = b.Former != nil && fate.kind == unseen
		}
		return b, true
	}
	return Backend{}, false
}

func (s *State) judgeFormer(f former, fate fate, ip netip.Addr, via Key, host bool) Backend {
	b := Backend{
		Namespace: f.pod.Namespace, Pod: f.pod.Name, PodUID: f.pod.UID, Node: f.node, HostNetwork: host, CreatedAt: f.created, Since: f.at,
	}
	if !f.pod.named() {
		b.Namespace = ""
	}
	left, why := f.how(), s.podsUnknown()
	b.know(fate)
	switch {
	case fate.kind == unnamed:
		b.State, b.How = flow.BackendUnlisted, "an endpoint without a pod "+left
	case fate.kind == dead && s.proven(f.pod, fate, ip, f.of(via)):
		s.bury(&b, fate, host, f.pod.String())
		if fate.asked && b.State == flow.BackendDeleted && !f.at.IsZero() && f.at.Before(b.Since) {
			b.Since = f.at // it was asked for because it left
		}
	case fate.kind == dead:
		b.unprove(fate, left)
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

// how says, in a clause of evidence, that a pod or an endpoint left.
func (f former) how() string {
	switch {
	case f.slice == nil && f.at.IsZero():
		return f.pod.String() + " had the address when it was last asked for"
	case f.slice == nil:
		return fmt.Sprintf("%s gave its address up at %s", f.pod, clock(f.at))
	case f.pod.named():
		return fmt.Sprintf("%s left %s at %s", f.pod, f.slice.service(), clock(f.at))
	}
	return fmt.Sprintf("left %s at %s", f.slice.service(), clock(f.at))
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

// unprove judges a backend whose pod is gone, and of which only a slice says
// that it had the address.
func (b *Backend) unprove(f fate, who string) {
	b.State, b.Unproven = flow.BackendUnlisted, true
	b.How = fmt.Sprintf("%s, and was not found at %s; only the slice says that it had this address", who, clock(f.at))
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
