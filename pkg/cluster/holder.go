package cluster

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// judgePod judges an address that a living pod has. Only slices of its own
// namespace have a say.
func (s *State) judgePod(a *address, p *pod, addr netip.AddrPort, via Key) Backend {
	mine := a.claimsOf(p)
	b := Backend{
		Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID, Node: p.Node, CreatedAt: p.CreatedAt,
		Services: services(mine, addr.Port()), Former: s.lastDead(addr.Addr(), p.ref(), via),
	}
	listed, terminating := span{}, span{}
	if p.Terminating {
		terminating.add(p.changed)
	}
	for _, c := range mine {
		if c.terminating > 0 {
			terminating.add(c.since)
		} else {
			listed.add(c.since)
		}
	}
	who := p.ref().String()
	left, wasListed := s.leftSlice(addr.Addr(), p)
	why := s.podsUnknown()
	switch {
	case !terminating.from.IsZero():
		b.State, b.Since, b.How = flow.BackendTerminating, terminating.from, who+" is terminating"
	case !listed.from.IsZero():
		b.State, b.Since, b.How = flow.BackendListed, listed.from, who+" is in the list, and in a slice"
	case wasListed && why != "":
		b.State, b.Since = flow.BackendUnknown, left.at
		b.How = fmt.Sprintf("%s left %s at %s, and %s", who, left.slice.service(), clock(left.at), why)
	case wasListed:
		b.State, b.Since = flow.BackendUnlisted, left.at
		b.How = fmt.Sprintf("%s left %s at %s, and is in the list", who, left.slice.service(), clock(left.at))
		b.Services = s.lastServices(addr, left.pod)
	default:
		b.State, b.Since, b.How = flow.BackendListed, p.seen, who+" is in the list"
	}
	return b
}

// claimsOf returns what slices of a pod's own namespace say of it: by its
// name, or without one.
func (a *address) claimsOf(p *pod) []*claim {
	var mine []*claim
	for _, r := range []ref{p.ref(), {Key: Key{Namespace: p.Namespace}}} {
		if c := a.claims.get(r); c != nil {
			mine = append(mine, c)
		}
	}
	return mine
}

// span finds the earliest of some times.
type span struct{ from time.Time }

func (s *span) add(t time.Time) {
	if s.from.IsZero() || t.Before(s.from) {
		s.from = t
	}
}

// leftSlice returns the last listing of a pod that ended.
func (s *State) leftSlice(ip netip.Addr, p *pod) (former, bool) {
	for _, f := range slices.Backward(s.past.said(ip, p.Namespace)) {
		if f.pod == p.ref() || !f.pod.named() && !f.at.Before(p.seen) {
			return f, true
		}
	}
	return former{}, false
}
