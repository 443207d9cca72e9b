package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// BenchmarkGivesUp: the shortest maximum of the RTO makes for the most steps.
func BenchmarkGivesUp(b *testing.B) {
	for name, rtoMax := range map[string]time.Duration{"RTOs up to 120 s": 2 * time.Minute, "RTOs up to 1 s": time.Second} {
		s := established()
		s.RTOMax = rtoMax
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				deadline.GivesUp(s)
			}
		})
	}
	s := established()
	s.RTOMax, s.UserTimeout = time.Second, 20*time.Minute
	b.Run("RTOs up to 1 s for 20 minutes", func(b *testing.B) {
		for b.Loop() {
			deadline.GivesUp(s)
		}
	})
}

// BenchmarkLongest: the longest user timeout that setsockopt takes, and the
// shortest distance of a clock's firings. None may take longer than a common
// one: any pod can set them, on each of its sockets.
func BenchmarkLongest(b *testing.B) {
	const longest = (1<<31 - 1) * time.Millisecond
	common := established()
	sending := established()
	sending.RTOMax, sending.UserTimeout = time.Second, longest
	closed := sending
	closed.SendWindow, closed.Sent, closed.LastAck = 0, closed.At.Add(-time.Second), closed.At
	probing := closed
	probing.PacketsOut, probing.Pending, probing.ProbesOut, probing.Backoff = 0, flow.TimerProbe, 1, 3
	idle := sending
	idle.PacketsOut, idle.Pending, idle.Retransmits, idle.RetransStamp = 0, flow.TimerNone, 0, time.Time{}
	idle.Unacknowledged, idle.Unsent, idle.LastAck = 0, 0, idle.At.Add(-time.Minute)
	idle.Keepalive, idle.KeepaliveIdle, idle.KeepaliveInterval, idle.KeepaliveProbes = true, time.Second, time.Second, 127
	for _, c := range []struct {
		name string
		s    flow.Socket
	}{{"common", common}, {"sending", sending}, {"window closed with data in flight", closed}, {"probing", probing}, {"idle", idle}} {
		b.Run(c.name, func(b *testing.B) {
			if g := deadline.GivesUp(c.s); g.At.IsZero() {
				b.Fatalf("no answer for %+v", c.s)
			}
			for b.Loop() {
				deadline.GivesUp(c.s)
			}
		})
	}
}
