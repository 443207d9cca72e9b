// Package audit says, before anything fails, which connections would hang if
// their peer vanished now, and what would bound them. It is pure: settings of
// sockets go in, findings by workload and peer come out.
package audit

import (
	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Class is how the kernel would notice that the peer of a socket is gone.
type Class string

// The classes, worst first. A connection is idle while it waits for an answer and has
// nothing in flight: then only keepalive can end it. With data in flight keepalive
// does not run: tcp_retries2 ends it (924.6 s at least by default), or the user
// timeout.
const (
	// Unbounded: an idle connection hangs for ever.
	Unbounded Class = "Unbounded"
	// UserTimeoutOnly: one with data in flight ends; an idle one hangs for
	// ever.
	UserTimeoutOnly Class = "UserTimeoutOnly"
	// KeepaliveOnly: an idle one ends; one with data in flight takes all of
	// tcp_retries2.
	KeepaliveOnly Class = "KeepaliveOnly"
	// KeepaliveIgnored: both are set, and the user timeout keeps an idle
	// connection alive for longer than keepalive would.
	KeepaliveIgnored Class = "KeepaliveIgnored"
	// KeepaliveClipped: both are set, and the user timeout ends an idle
	// connection before keepalive has sent its probes.
	KeepaliveClipped Class = "KeepaliveClipped"
	// Bounded: both are set, and agree. It is no finding.
	Bounded Class = "Bounded"
)

// Classes returns the classes that are findings, worst first.
func Classes() []Class {
	return []Class{Unbounded, UserTimeoutOnly, KeepaliveOnly, KeepaliveIgnored, KeepaliveClipped}
}

// Classify judges a connected socket by its settings.
func Classify(s flow.Socket) Class {
	switch {
	case !s.Keepalive && s.UserTimeout == 0:
		return Unbounded
	case !s.Keepalive:
		return UserTimeoutOnly
	case s.UserTimeout == 0:
		return KeepaliveOnly
	}
	idle, _ := deadline.WhileIdle(s)
	switch keepalive := deadline.ByKeepalive(s); {
	case idle > keepalive:
		return KeepaliveIgnored
	case idle < keepalive:
		return KeepaliveClipped
	}
	return Bounded
}
