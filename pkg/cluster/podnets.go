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

// outside reports whether no record of a pod or a node, present or past, says
// that an address is the cluster's.
func (s *State) outside(a *address, ip netip.Addr) bool {
	return a.holder() == nil && !a.isHost() && len(s.past.had(ip)) == 0 && !s.amongPods(ip)
}
