package cluster

import (
	"net/netip"
	"slices"
)

// Name is a label for the addresses of a prefix (--name CIDR=LABEL).
type Name struct {
	Prefix netip.Prefix
	Label  string
}

// names are labels, the longest prefix first. They never change.
type names []Name

func newNames(list []Name) names {
	sorted := slices.Clone(list)
	for i, n := range sorted {
		if a := n.Prefix.Addr(); a.Is4In6() && n.Prefix.Bits() >= 96 {
			sorted[i].Prefix = netip.PrefixFrom(a.Unmap(), n.Prefix.Bits()-96)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Name) int { return b.Prefix.Bits() - a.Prefix.Bits() })
	return sorted
}

// label returns the label of the longest prefix that holds an address, or "".
func (ns names) label(ip netip.Addr) string {
	for _, n := range ns {
		if n.Prefix.Contains(ip) {
			return n.Label
		}
	}
	return ""
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
