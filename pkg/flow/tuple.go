package flow

import (
	"net/netip"
	"time"
)

// Tuple is one direction of a TCP connection.
type Tuple struct {
	Src, Dst netip.AddrPort
}

// Reverse returns the tuple of the other direction.
func (t Tuple) Reverse() Tuple { return Tuple{Src: t.Dst, Dst: t.Src} }

// String returns the tuple as `src → dst`.
func (t Tuple) String() string { return t.Src.String() + " → " + t.Dst.String() }

// Tuple returns what the socket sends: from its own address to its peer.
func (s Socket) Tuple() Tuple { return Tuple{Src: s.Local, Dst: s.Remote} }

// Translation is a conntrack entry as one socket sees it.
type Translation struct {
	Asked       Tuple // the socket's own tuple
	Orig, Reply Tuple
	State       string        // conntrack's TCP state: ESTABLISHED, SYN_SENT, …
	Timeout     time.Duration // until the entry expires if nothing refreshes it
	Assured     bool
	Unreplied   bool
	Zone        uint16
}

// Accepted reports whether the socket is the one that was connected to: its
// own packets are the entry's reply direction.
func (t Translation) Accepted() bool { return t.Asked == t.Reply && t.Asked != t.Orig }

// Translated reports whether the entry rewrites an address or a port.
func (t Translation) Translated() bool { return t.Reply != t.Orig.Reverse() }

// Backend returns where the socket's packets really go: the source of the
// reply tuple or, for an accepted socket, the source of the original one.
func (t Translation) Backend() netip.AddrPort {
	if t.Accepted() {
		return t.Orig.Src
	}
	return t.Reply.Src
}

// Route is what this host's routing table answers for an address.
type Route struct {
	Dst       netip.Addr
	Via       netip.Addr // gateway; zero: directly connected
	Interface string
	Type      string // unicast, blackhole, unreachable, prohibit, throw, local
	Err       string // errno name where there is no usable route: ENETUNREACH, …
	Neighbour string // NUD state of the next hop: REACHABLE, FAILED, …; empty: none
}
