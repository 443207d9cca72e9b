package cluster

import (
	"fmt"
	"net/netip"
)

// Family is how the programs of a cluster speak TCP.
type Family string

// The families.
const (
	IPv4   Family = "4"
	IPv6   Family = "6"
	Mapped Family = "mapped" // IPv4 packets over IPv6 sockets
)

// ParseFamily reads a family as users write it.
func ParseFamily(s string) (Family, error) {
	switch f := Family(s); f {
	case IPv4, IPv6, Mapped:
		return f, nil
	}
	return "", fmt.Errorf("family %q is none of 4, 6, mapped", s)
}

// plan is the addressing of a cluster, in the ranges that Calico, kind and
// kubeadm use by default.
type plan struct {
	underlay   netip.Prefix // nodes; the first address is the way out
	pods       netip.Prefix // all blocks
	blocks     string       // a node's, with its number left out
	services   netip.Prefix
	podGateway netip.Addr   // the same for every pod, on the node's end of its link
	internet   netip.Prefix // hosts outside the cluster
	vip        netip.Addr   // virtual, of the node that announces it
}

func planFor(f Family) plan {
	if f == IPv6 {
		return plan{
			underlay: netip.MustParsePrefix("fd00:172:18::/64"),
			pods:     netip.MustParsePrefix("fd00:10:244::/48"),
			blocks:   "fd00:10:244:%x00::/122",
			services: netip.MustParsePrefix("fd00:10:96::/112"),
			// What podLinkMAC makes of fe80::/64.
			podGateway: netip.MustParseAddr("fe80::ecee:eeff:feee:eeee"),
			internet:   netip.MustParsePrefix("2001:db8::/64"),
			vip:        netip.MustParseAddr("2001:db8:1::10"),
		}
	}
	return plan{
		underlay:   netip.MustParsePrefix("172.18.0.0/24"),
		pods:       netip.MustParsePrefix("192.168.0.0/16"),
		blocks:     "192.168.%d.0/26",
		services:   netip.MustParsePrefix("10.96.0.0/16"),
		podGateway: netip.MustParseAddr("169.254.1.1"),
		internet:   netip.MustParsePrefix("203.0.113.0/24"),
		vip:        netip.MustParseAddr("198.51.100.10"),
	}
}

// block returns the addresses of the nth node's pods. The nodes' blocks lie
// far apart, as Calico's do.
func (p plan) block(n int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf(p.blocks, (75+61*n)%256))
}

// host returns the nth address of a prefix; n is less than 256.
func host(p netip.Prefix, n int) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	b[len(b)-1] += byte(n)
	a, _ := netip.AddrFromSlice(b) // 4 or 16 bytes, as AsSlice gave them
	return a
}

// single returns the prefix that holds one address.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
