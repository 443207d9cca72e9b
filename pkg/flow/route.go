package flow

import "net/netip"

// Route is what this host's routing table answers for packets from one address to another.
type Route struct {
	Dst       netip.Addr
	Src       netip.Addr // asked for; zero: the kernel's choice
	Own       bool       // this host has Src
	In        string     // the interface by which packets of Src come in, if this host forwards them; empty: it does not, or that is not known
	Via       netip.Addr // gateway; zero: directly connected
	Interface string     // the way out
	Type      string     // unicast, blackhole, unreachable, prohibit, throw, local
	Err       string     // errno name if there is no usable route: ENETUNREACH, …
	Neighbour string     // NUD state of the next hop: REACHABLE, FAILED, …; empty: none
	// Dead is the interface that does not work: the way in, the way out or, if there is no
	// route, the one that has Src. Empty: all work. NoCarrier says that it is up.
	Dead      string
	NoCarrier bool
}
