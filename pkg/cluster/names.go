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

// sortNames returns the names with the longest prefix first.
func sortNames(names []Name) []Name {
	sorted := slices.Clone(names)
	for i, n := range sorted {
		if a := n.Prefix.Addr(); a.Is4In6() && n.Prefix.Bits() >= 96 {
			sorted[i].Prefix = netip.PrefixFrom(a.Unmap(), n.Prefix.Bits()-96)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Name) int { return b.Prefix.Bits() - a.Prefix.Bits() })
	return sorted
}

// Label returns the label of the longest prefix that holds the address, or "".
func (s *State) Label(addr netip.Addr) string {
	addr = addr.Unmap()
	for _, n := range s.names {
		if n.Prefix.Contains(addr) {
			return n.Label
		}
	}
	return ""
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
