package flow

import "net/netip"

// Listener is a listening TCP socket: the address that accepted sockets share.
type Listener struct {
	NetNS uint32
	Local netip.AddrPort // an unspecified address listens on every one
}
