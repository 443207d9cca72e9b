package deadline

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// idle follows tcp_keepalive_timer: nothing is outstanding, so only keepalive can
// find out that the peer is gone. A user timeout replaces the number of probes, on
// the same grid of probe times.
func idle(s flow.Socket) flow.GivesUp {
	if !s.Keepalive {
		return flow.GivesUp{Never: true}
	}
	lastSegment := s.LastAck
	if s.LastReceive.After(lastSegment) {
		lastSegment = s.LastReceive
	}
	if lastSegment.IsZero() || s.KeepaliveIdle <= 0 || s.KeepaliveInterval <= 0 {
		return flow.GivesUp{}
	}
	c, probes := clockOf(s), s.ProbesOut
	fires := bucket(s.KeepaliveJiffies, s.KeepaliveLevel)
	if int64(fires-s.Jiffies) <= 0 {
		fires = s.Jiffies + 1 // due, or in its own handler
	}
	for range maxTimeouts {
		silent := c.time(fires).Sub(lastSegment)
		wait := s.KeepaliveIdle - silent
		if wait <= 0 {
			if exhausted(s, probes, silent) {
				return flow.GivesUp{At: c.time(fires)}
			}
			probes++
			wait = s.KeepaliveInterval
		}
		fires = Wheel(fires, fires+c.ticks(wait))
		if probes > s.ProbesOut { // from now on they are equidistant
			fires += c.skipped(s.UserTimeout-c.time(fires).Sub(lastSegment), fires, s.KeepaliveInterval)
		}
	}
	return flow.GivesUp{}
}

// exhausted reports whether keepalive aborts instead of sending its next probe.
func exhausted(s flow.Socket, probes int, silent time.Duration) bool {
	if s.UserTimeout > 0 {
		return probes > 0 && silent >= s.UserTimeout
	}
	return probes >= s.KeepaliveProbes
}
