package cluster

import "net/netip"

// outside is what people have said of addresses outside the cluster. It never changes.
type outside struct {
	names   names
	clients clients
}

// Label returns the label of the longest prefix that holds the address, or "".
func (o outside) Label(addr netip.Addr) string { return o.names.label(addr.Unmap()) }

// ComesAndGoes reports whether an address is one of Options.Clients.
func (o outside) ComesAndGoes(addr netip.Addr) bool { return o.clients.contain(addr.Unmap()) }
