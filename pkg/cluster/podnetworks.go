package cluster

import "net/netip"

// With every usual address manager, the addresses of one node's pods share at
// least so many leading bits.
const (
	podNetworkBits4 = 24
	podNetworkBits6 = 64
)

// podNetworks are the networks in which pods were seen. An address without a
// record that lies in one of them may have been a pod's before the agent
// started, so it is not outside the cluster.
type podNetworks map[netip.Prefix]struct{}

func (n podNetworks) add(ip netip.Addr) { n[podNetwork(ip)] = struct{}{} }

func (n podNetworks) contain(ip netip.Addr) bool {
	_, ok := n[podNetwork(ip)]
	return ok
}

// podNetwork returns the network that an address shares with its neighbours.
func podNetwork(ip netip.Addr) netip.Prefix {
	bits := podNetworkBits6
	if ip.Is4() {
		bits = podNetworkBits4
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
