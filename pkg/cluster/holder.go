package cluster

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// judgePod judges an address that a living pod holds.
func (s *State) judgePod(a *address, p *pod, addr netip.AddrPort) Backend {
	mine := func(l *listing) bool { return l.id() == p.id() || l.id() == "" }
	b := Backend{
		Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID, Node: p.Node, CreatedAt: p.CreatedAt,
		Services: a.services(addr.Port(), mine), Former: s.lastDead(addr.Addr(), p.id()),
	}
	listed, terminating := span{}, span{}
	if p.Terminating {
		terminating.add(p.changed)
	}
	for _, l := range a.listings {
		switch {
		case !mine(l):
		case l.ep.Terminating:
			terminating.add(l.since)
		default:
			listed.add(l.since)
		}
	}
	who := podName(p.Key(), p.UID)
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
		b.Services = s.lastServices(addr, left.id)
	default:
		b.State, b.Since, b.How = flow.BackendListed, p.seen, who+" is in the list"
	}
	return b
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
	formers, _ := s.formers.get(ip)
	for _, f := range slices.Backward(formers) {
		if f.slice != nil && (f.id == p.id() || f.id == "" && !f.at.Before(p.seen)) {
			return f, true
		}
	}
	return former{}, false
}
