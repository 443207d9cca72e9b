package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// quiet is a socket with nothing outstanding and keepalive of 10 s, 3 s and 4
// probes. Its last segment from the peer came 2 s ago.
func quiet() flow.Socket {
	return flow.Socket{
		State: flow.Established, At: start, SendWindow: 65535, RTO: 204 * time.Millisecond, RTOMax: 120 * time.Second, Retries2: 15,
		Keepalive: true, KeepaliveIdle: 10 * time.Second, KeepaliveInterval: 3 * time.Second, KeepaliveProbes: 4,
		LastReceive: start.Add(-2 * time.Second), LastAck: start.Add(-5 * time.Second), Tick: tick, Jiffies: 1_000_000,
		KeepaliveJiffies: 1_002_000, KeepaliveLevel: 2,
	}
}

func TestKeepalive(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*flow.Socket)
		from, to time.Duration // after the peer's last segment; both 0: never
	}{
		{"idle + 4 intervals", func(*flow.Socket) {}, 22 * time.Second, 24 * time.Second},
		{"off", func(s *flow.Socket) { s.Keepalive = false }, 0, 0},
		{"off, half closed", func(s *flow.Socket) { s.Keepalive, s.State = false, flow.CloseWait }, 0, 0},
		{"a user timeout cuts it short, on the grid", func(s *flow.Socket) { s.UserTimeout = 14 * time.Second }, 16 * time.Second, 17500 * time.Millisecond},
		{"a user timeout wants one probe at least", func(s *flow.Socket) { s.UserTimeout = time.Second }, 13 * time.Second, 14 * time.Second},
		{"a user timeout outlasts the probes", func(s *flow.Socket) { s.UserTimeout = 40 * time.Second }, 40 * time.Second, 45 * time.Second},
		{"the later of the two stamps", func(s *flow.Socket) { s.LastReceive, s.LastAck = s.LastAck, s.LastReceive }, 22 * time.Second, 24 * time.Second},
		{"armed before its last segment: looks again", func(s *flow.Socket) { s.KeepaliveJiffies, s.KeepaliveLevel = 1_000_100, 1 }, 22 * time.Second, 24 * time.Second},
		{"three probes out", func(s *flow.Socket) {
			s.LastReceive, s.LastAck = start.Add(-17*time.Second), start.Add(-17*time.Second)
			s.ProbesOut, s.KeepaliveJiffies, s.KeepaliveLevel = 3, 1_000_500, 1
		}, 22 * time.Second, 23 * time.Second},
	} {
		s := quiet()
		c.change(&s)
		lastSegment := s.LastReceive
		if s.LastAck.After(lastSegment) {
			lastSegment = s.LastAck
		}
		got := deadline.GivesUp(s)
		if c.to == 0 {
			if !got.Never {
				t.Errorf("%s: gives up at %v, want never", c.name, got.At)
			}
			continue
		}
		if after := got.At.Sub(lastSegment); after < c.from || after > c.to {
			t.Errorf("%s: gives up after %v, want %v to %v", c.name, after, c.from, c.to)
		}
	}
}
