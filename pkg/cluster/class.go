package cluster

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// class returns what kind of thing an address is.
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
	case len(r.past.podsAt(ip)) > 0, r.claimedForPod(ip, entry), r.addrs.networks.contain(ip):
		return flow.PeerPod
	}
	return flow.PeerExternal
}

// claimedForPod reports whether a slice claims, or claimed, the address for a
// pod whose own record nobody can expect here, and does not contradict it. An
// endpoint without a targetRef may be anything, anywhere.
func (r *records) claimedForPod(ip netip.Addr, entry *address) bool {
	credible := func(pod ref, node string, since time.Time) bool {
		return pod.named() && (r.source.podsUnknown() != "" || !r.source.lists(node)) && !r.contradicted(pod, ip, since)
	}
	for _, c := range entry.claimed("") {
		if credible(c.pod(), c.node(), c.since) {
			return true
		}
	}
	for _, f := range r.past.claimsAt(ip, "") {
		if credible(f.pod, f.node, f.at) {
			return true
		}
	}
	return false
}
