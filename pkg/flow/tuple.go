package flow

import "net/netip"

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
