package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// fateKind is what became of a pod.
type fateKind int

const (
	unnamed fateKind = iota // no pod was named
	living                  // in the list, and not finished
	dead                    // seen to go, asked for and not found, or finished
	unseen                  // not in the list, and never was, as far as is remembered
)

// fate is what became of a pod, and when.
type fate struct {
	kind        fateKind
	terminating bool      // living
	finished    bool      // dead, but still in the list
	asked       bool      // dead, though it was never in the list
	at          time.Time // dead: since when
	node        string
	created     time.Time
}

// fate returns what became of a pod.
func (s *State) fate(r ref) fate {
	if !r.named() {
		return fate{kind: unnamed}
	}
	if p := s.pod(r); p != nil {
		f := fate{kind: living, terminating: p.Terminating, node: p.Node, created: p.CreatedAt}
		if p.Finished {
			f.kind, f.finished, f.at = dead, true, p.changed
		}
		return f
	}
	if g, ok := s.gonePods.get(r); ok {
		return fate{kind: dead, asked: g.asked, at: g.at, node: g.node, created: g.created}
	}
	return fate{kind: unseen}
}

// had reports whether a pod has, or had, an address by its own record. That a
// slice lists it there is no proof.
func (s *State) had(r ref, ip netip.Addr) bool {
	if p := s.pod(r); p != nil && slices.Contains(p.IPs, ip) {
		return true
	}
	if g, ok := s.gonePods.get(r); ok && slices.Contains(g.ips, ip) {
		return true
	}
	return slices.ContainsFunc(s.past.had(ip), func(f former) bool { return f.pod == r })
}

// refuted reports whether a pod's own record, as it was no earlier than since,
// speaks against a claim that it has an address.
func (s *State) refuted(r ref, ip netip.Addr, since time.Time) bool {
	if !r.named() || s.had(r, ip) {
		return false
	}
	if p := s.pod(r); p != nil {
		return len(p.IPs) > 0 && (s.lists(p.Node) || !p.read.Before(since))
	}
	g, ok := s.gonePods.get(r)
	return ok && !g.asked
}

// hostPod reports whether a pod is, or was, known to use its host's network.
func (s *State) hostPod(r ref) bool {
	if p := s.pod(r); p != nil {
		return p.HostNetwork
	}
	g, ok := s.gonePods.get(r)
	return ok && g.hostNetwork
}

// formers returns who had an address by its own record, and who a namespace
// (empty: any) said had it, oldest first.
func (s *State) formers(ip netip.Addr, namespace string) []former {
	all := slices.Concat(s.past.had(ip), s.past.said(ip, namespace))
	slices.SortStableFunc(all, func(f, g former) int { return f.at.Compare(g.at) })
	return all
}

// proven reports whether it is sure enough to bury the backend that a dead pod
// had an address: by the pod's own record, or where nobody ever read that, for
// a connection that a Service sent there, by that Service's own slice, which is
// what kube-proxy went by.
func (s *State) proven(r ref, f fate, ip netip.Addr, byItsService bool) bool {
	return s.had(r, ip) || f.asked && byItsService
}

// of reports whether somebody left a slice of a service.
func (f former) of(service Key) bool {
	return service != Key{} && f.slice != nil && f.slice.serviceKey() == service
}

// lastDead returns the last other pod that had an address and is gone.
func (s *State) lastDead(ip netip.Addr, not ref, via Key) *Former {
	for _, f := range slices.Backward(s.formers(ip, via.Namespace)) {
		if f.pod == not || s.hostPod(f.pod) {
			continue
		}
		if fate := s.fate(f.pod); fate.kind == dead && s.proven(f.pod, fate, ip, f.of(via)) {
			return &Former{
				Namespace: f.pod.Namespace, Pod: f.pod.Name, UID: f.pod.UID, Node: f.node, CreatedAt: fate.created, GoneAt: fate.at,
			}
		}
	}
	return nil
}

// lastServices returns the services that listed a pod at an address before,
// sorted.
func (s *State) lastServices(addr netip.AddrPort, r ref) []string {
	var names []string
	for _, f := range s.past.said(addr.Addr(), r.Namespace) {
		if f.pod == r && f.slice.Service != "" && f.slice.serves(addr.Port()) {
			names = append(names, f.slice.service())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
