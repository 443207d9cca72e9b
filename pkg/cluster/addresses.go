package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// address is what is known of one IP address: the pods and the node that have
// it by their own records, and the slices that claim it.
type address struct {
	pods     []*pod // living ones, without the host-network ones
	claims   claims
	node     *node
	hostPods int // living host-network pods: they mark a node's address if no node is listed
}

func (a *address) empty() bool { return len(a.pods) == 0 && a.claims.empty() && !a.isHost() }

// isHost reports whether the address is a node's.
func (a *address) isHost() bool { return a != nil && (a.node != nil || a.hostPods > 0) }

// holder returns the pod that the address belongs to. If another pod got the
// address before the deletion of its last one was seen, it is the newest pod.
func (a *address) holder() *pod {
	if a == nil || len(a.pods) == 0 {
		return nil
	}
	return slices.MaxFunc(a.pods, func(p, q *pod) int {
		if c := p.CreatedAt.Compare(q.CreatedAt); c != 0 {
			return c
		}
		return p.seen.Compare(q.seen)
	})
}

// claimed returns the claims of one namespace's slices, or of all slices if the
// namespace is empty.
func (a *address) claimed(namespace string) []*claim {
	switch {
	case a == nil:
		return nil
	case namespace == "":
		return a.claims.all()
	}
	return a.claims.in(namespace)
}

// addresses is the index by IP address.
type addresses struct {
	byIP     map[netip.Addr]*address
	networks podNetworks
	past     *past
	changes  *changes
}

// of returns the entry of an address; nil: there is none.
func (a *addresses) of(ip netip.Addr) *address { return a.byIP[ip] }

// at returns the entry of an address, and makes it if there is none.
func (a *addresses) at(ip netip.Addr) *address {
	entry := a.byIP[ip]
	if entry == nil {
		entry = new(address)
		a.byIP[ip] = entry
	}
	return entry
}

// tidy drops the entry of an address that no object has or claims any more.
func (a *addresses) tidy(ip netip.Addr) {
	if entry := a.byIP[ip]; entry != nil && entry.empty() {
		delete(a.byIP, ip)
	}
}

// replacePod gives the addresses of a pod's old record to its new one. Either
// may be nil.
func (a *addresses) replacePod(old, fresh *pod, at time.Time) {
	for _, ip := range fresh.own() {
		entry := a.at(ip)
		entry.pods = append(entry.pods, fresh)
		a.networks.add(ip)
	}
	for _, ip := range old.own() {
		a.removePod(ip, old, at)
	}
	for _, ip := range fresh.shared() {
		a.at(ip).hostPods++
	}
	for _, ip := range old.shared() {
		a.removeHostPod(ip)
	}
	if old == nil && fresh.Finished && !fresh.HostNetwork {
		for _, ip := range fresh.IPs { // it had finished before it was first seen
			a.past.addPod(ip, fresh.former(at))
		}
	}
	for _, p := range []*pod{old, fresh} {
		if p != nil {
			a.changes.mark(p.IPs...)
		}
	}
}

// removePod takes a pod's old record from an address. The past keeps the pod,
// unless a newer record of the same pod has the address.
func (a *addresses) removePod(ip netip.Addr, old *pod, at time.Time) {
	entry := a.at(ip)
	stays := false
	kept := entry.pods[:0]
	for _, p := range entry.pods {
		if p == old {
			continue
		}
		stays = stays || p.ref() == old.ref()
		kept = append(kept, p)
	}
	clear(entry.pods[len(kept):])
	entry.pods = kept
	if !stays {
		a.past.addPod(ip, old.former(at))
		a.tidy(ip)
	}
}

func (a *addresses) removeHostPod(ip netip.Addr) {
	a.at(ip).hostPods--
	a.tidy(ip)
}

// forgetPod takes the record of a pod from its addresses. The pod was not
// deleted. The past keeps that it had them.
func (a *addresses) forgetPod(p *pod) {
	for _, ip := range p.own() {
		entry := a.at(ip)
		entry.pods = slices.DeleteFunc(entry.pods, func(q *pod) bool { return q == p })
		a.past.addPod(ip, p.former(time.Time{}))
		a.tidy(ip)
	}
	for _, ip := range p.shared() {
		a.removeHostPod(ip)
	}
}
