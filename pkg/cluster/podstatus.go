package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// podPresence says whether a pod is still there.
type podPresence int

const (
	podUnnamed podPresence = iota // no pod was named
	podPresent                    // in the list, and not finished
	podGone                       // deleted, finished, or not found by a lookup
	podUnseen                     // never in the list, as far as is remembered
)

// podStatus is what the records say of a pod.
type podStatus struct {
	presence    podPresence
	terminating bool      // present
	finished    bool      // gone, and still in the list
	notFound    bool      // gone, and was never in the list: a lookup did not find it
	at          time.Time // gone: since when
	node        string
	created     time.Time
}

// status returns what the records say of a pod.
func (s *pods) status(r ref) podStatus {
	if !r.named() {
		return podStatus{presence: podUnnamed}
	}
	if p := s.get(r); p != nil {
		status := podStatus{presence: podPresent, terminating: p.Terminating, node: p.Node, created: p.CreatedAt}
		if p.Finished {
			status.presence, status.finished, status.at = podGone, true, p.changed
		}
		return status
	}
	if d, ok := s.past.departed.get(r); ok {
		return podStatus{presence: podGone, notFound: d.notFound, at: d.at, node: d.node, created: d.created}
	}
	return podStatus{presence: podUnseen}
}

// had reports whether a pod has, or had, an address by its own record. A slice
// that lists the pod there is no proof.
func (s *pods) had(r ref, ip netip.Addr) bool {
	if p := s.get(r); p != nil && slices.Contains(p.IPs, ip) {
		return true
	}
	if d, ok := s.past.departed.get(r); ok && slices.Contains(d.ips, ip) {
		return true
	}
	return slices.ContainsFunc(s.past.podsAt(ip), func(f former) bool { return f.pod == r })
}

// contradict reports whether a pod's own record, read at since or later, says
// that the pod does not have an address. Complete reports whether the source
// lists all pods of a node: their records are never old.
func (s *pods) contradict(r ref, ip netip.Addr, since time.Time, complete func(node string) bool) bool {
	if !r.named() || s.had(r, ip) {
		return false
	}
	if p := s.get(r); p != nil {
		return len(p.IPs) > 0 && (complete(p.Node) || !p.read.Before(since))
	}
	d, ok := s.past.departed.get(r)
	return ok && !d.notFound
}

// onHostNetwork reports whether a pod uses, or used, its node's network.
func (s *pods) onHostNetwork(r ref) bool {
	if p := s.get(r); p != nil {
		return p.HostNetwork
	}
	d, ok := s.past.departed.get(r)
	return ok && d.hostNetwork
}
