package flow

import (
	"net/netip"
	"time"
)

// Listener is a listening TCP socket: the address that accepted sockets share.
type Listener struct {
	NetNS uint32
	Local netip.AddrPort // an unspecified address listens on every one
	// Waiting is how many connections wait to be accepted. The kernel drops what makes more
	// than Most+1 wait (sk_acceptq_is_full).
	Waiting, Most uint32
	// PID and Started name a process that has it; PID 0: not known. Comm is printable.
	PID     uint32
	Started time.Duration
	Comm    string
}

// Full reports whether no more connections may wait.
func (l Listener) Full() bool { return l.Waiting > l.Most }
