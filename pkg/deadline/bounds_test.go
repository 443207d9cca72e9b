package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*flow.Socket)
		sending time.Duration
		idle    time.Duration // 0: for ever
	}{
		{"keepalive", func(*flow.Socket) {}, 924600 * time.Millisecond, 22 * time.Second},
		{"nothing", func(s *flow.Socket) { s.Keepalive = false }, 924600 * time.Millisecond, 0},
		{"user timeout alone", func(s *flow.Socket) { s.Keepalive, s.UserTimeout = false, 30*time.Second }, 30 * time.Second, 0},
		{"user timeout on the grid", func(s *flow.Socket) { s.UserTimeout = 16 * time.Second }, 16 * time.Second, 16 * time.Second},
		{"user timeout between", func(s *flow.Socket) { s.UserTimeout = 16500 * time.Millisecond }, 16500 * time.Millisecond, 19 * time.Second},
		{"user timeout before the first probe", func(s *flow.Socket) { s.UserTimeout = time.Second }, time.Second, 13 * time.Second},
		{"user timeout outlasts", func(s *flow.Socket) { s.UserTimeout = time.Minute }, time.Minute, 61 * time.Second},
	} {
		s := quiet()
		c.change(&s)
		if got := deadline.WhileSending(s); got != c.sending {
			t.Errorf("%s: %v while sending, want %v", c.name, got, c.sending)
		}
		got, bounded := deadline.WhileIdle(s)
		if got != c.idle || bounded != (c.idle > 0) {
			t.Errorf("%s: %v, %v while idle, want %v", c.name, got, bounded, c.idle)
		}
		if !bounded || c.sending > 10*time.Minute {
			continue
		}
		// The simulation starts 2 s after the peer's last segment.
		at := deadline.GivesUp(s).At.Sub(start) + 2*time.Second
		if at < got || at > got+got/8 {
			t.Errorf("%s: %v while idle, but simulated %v", c.name, got, at)
		}
	}
}
