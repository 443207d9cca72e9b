package flow

import "net/netip"

// Route is what this host's routing table answers for an address.
type Route struct {
	Dst       netip.Addr
	Via       netip.Addr // gateway; zero: directly connected
	Interface string
	Type      string // unicast, blackhole, unreachable, prohibit, throw, local
	Err       string // errno name if there is no usable route: ENETUNREACH, …
	Neighbour string // NUD state of the next hop: REACHABLE, FAILED, …; empty: none
}
