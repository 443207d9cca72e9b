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
		sorted[i].Prefix = unmapPrefix(n.Prefix)
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

func unmapPrefix(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
