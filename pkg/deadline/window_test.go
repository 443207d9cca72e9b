package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestWindowClosedWithDataInFlight(t *testing.T) {
	answered := func(s *flow.Socket) { s.LastAck = start }
	for _, c := range []struct {
		name     string
		changes  []func(*flow.Socket)
		from, to time.Duration // after RTO #1; both 0: never
	}{
		{"silent: 2 × 120 s, whatever tcp_retries2 is", nil, 240 * time.Second, 480 * time.Second},
		{"answered", []func(*flow.Socket){answered}, 0, 0},
		{"silent, its last segment long ago", []func(*flow.Socket){func(s *flow.Socket) { s.LastAck = start.Add(-time.Hour) }}, 240 * time.Second, 480 * time.Second},
		{"TCP_RTO_MAX_MS = 1000", []func(*flow.Socket){func(s *flow.Socket) { s.RTOMax = time.Second }}, 2 * time.Second, 3500 * time.Millisecond},
		{"answered, with a user timeout", []func(*flow.Socket){answered, func(s *flow.Socket) { s.UserTimeout = 5 * time.Second }}, 5 * time.Second, 5700 * time.Millisecond},
		{"silent, with a user timeout", []func(*flow.Socket){func(s *flow.Socket) { s.UserTimeout = 5 * time.Second }}, 5 * time.Second, 5700 * time.Millisecond},
		{"answered, inside the timer's handler", []func(*flow.Socket){answered, func(s *flow.Socket) {
			s.Pending, s.UserTimeout, s.RetransStamp = flow.TimerNone, 5*time.Second, time.Time{}
		}}, 5 * time.Second, 5700 * time.Millisecond},
		{"an orphan is no exception from its retries", []func(*flow.Socket){answered, func(s *flow.Socket) { s.Orphan = true }}, 102200 * time.Millisecond, 133 * time.Second},
	} {
		s := established()
		s.SendWindow, s.Retransmits, s.Retries2 = 0, 0, 1
		s.Sent, s.LastAck = start, start.Add(-408*time.Millisecond)
		for _, change := range c.changes {
			change(&s)
		}
		got := deadline.GivesUp(s)
		if c.to == 0 {
			if !got.Never {
				t.Errorf("%s: gives up at %v, want never", c.name, got.At)
			}
			continue
		}
		if after := got.At.Sub(start); after < c.from || after > c.to {
			t.Errorf("%s: gives up after %v, want %v to %v", c.name, after, c.from, c.to)
		}
	}
}
