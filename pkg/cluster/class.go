package cluster

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// class returns the class of an address.
func (r *records) class(addr netip.AddrPort) flow.PeerClass {
	if _, ok := r.service(addr); ok {
		return flow.PeerService
	}
	ip, entry := addr.Addr(), r.addrs.of(addr.Addr())
	switch {
	case entry.holder() != nil:
		return flow.PeerPod
	case entry.isHost():
		return flow.PeerNode
	case r.outside(ip, entry) && !r.claimedForPod(ip, entry):
		return flow.PeerExternal
	}
	return flow.PeerPod
}

// outside reports whether no record of a pod or a node, present or past, says
// that an address is the cluster's.
func (r *records) outside(ip netip.Addr, entry *address) bool {
	return entry.holder() == nil && !entry.isHost() && len(r.past.podsAt(ip)) == 0 && !r.addrs.networks.contain(ip)
}

// claimedForPod reports whether a slice claims, or claimed, the address for a
// pod that may have it.
func (r *records) claimedForPod(ip netip.Addr, entry *address) bool {
	for _, c := range entry.claimed("") {
		if r.credible(c.pod(), c.node(), ip, c.since) {
			return true
		}
	}
	for _, f := range r.past.claimsAt(ip, "") {
		if r.credible(f.pod, f.node, ip, f.at) {
			return true
		}
	}
	return false
}

// credible reports whether a pod that a slice names may have an address. Its own
// record must be one that this source need not have, and must not contradict the
// slice. A pod that a lookup did not find is not credible. Neither is an endpoint
// without a pod: that may be any host.
func (r *records) credible(pod ref, node string, ip netip.Addr, since time.Time) bool {
	return pod.named() && (r.source.podsUnknown() != "" || !r.source.lists(node) && r.pods.status(pod).presence != podGone) && !r.contradicted(pod, ip, since)
}
