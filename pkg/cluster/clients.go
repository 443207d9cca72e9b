package cluster

import "net/netip"

// clients are prefixes whose clients come and go, such as laptops behind an internal ingress.
type clients []netip.Prefix

func newClients(list []netip.Prefix) clients {
	all := make(clients, len(list))
	for i, p := range list {
		all[i] = unmapPrefix(p)
	}
	return all
}

func (c clients) contain(ip netip.Addr) bool {
	for _, p := range c {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
