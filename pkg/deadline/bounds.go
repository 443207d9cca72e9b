package deadline

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// WhileSending returns how long a connected socket with data in flight outlives
// a peer that vanished, at least: the timer wheel and the last back-off add up
// to a tenth.
func WhileSending(s flow.Socket) time.Duration {
	if s.UserTimeout > 0 {
		return s.UserTimeout
	}
	return Model(s.Retries2, rtoBase, max(s.RTOMax, rtoBase))
}

// WhileIdle returns the same for a socket with nothing outstanding, counted
// from the last segment of the peer; false: for ever, because keepalive is off.
func WhileIdle(s flow.Socket) (time.Duration, bool) {
	if !s.Keepalive || s.KeepaliveInterval <= 0 {
		return 0, false
	}
	if s.UserTimeout == 0 {
		return ByKeepalive(s), true
	}
	// The first probe time that reaches the user timeout, and the second at
	// the earliest.
	beyond := max(s.UserTimeout-s.KeepaliveIdle, s.KeepaliveInterval)
	probes := (beyond + s.KeepaliveInterval - 1) / s.KeepaliveInterval
	return s.KeepaliveIdle + probes*s.KeepaliveInterval, true
}

// ByKeepalive returns how long keepalive alone would take on an idle socket,
// whether or not it is switched on, and whatever the user timeout is.
func ByKeepalive(s flow.Socket) time.Duration {
	return s.KeepaliveIdle + time.Duration(s.KeepaliveProbes)*s.KeepaliveInterval
}
