package cluster

import "net/netip"

// How many leading bits the addresses of one node's pods share at least, with
// every usual address manager.
const (
	podNetBits4 = 24
	podNetBits6 = 64
)

// network returns the network that an address shares with its neighbours.
func network(ip netip.Addr) netip.Prefix {
	bits := podNetBits6
	if ip.Is4() {
		bits = podNetBits4
	}
	return netip.PrefixFrom(ip, bits).Masked()
}

// amongPods reports whether an address without any record lies where pods
// have theirs: it may have been a pod's before anybody watched, so it is not
// outside the cluster.
func (s *State) amongPods(ip netip.Addr) bool {
	_, ok := s.podNets[network(ip)]
	return ok
}
