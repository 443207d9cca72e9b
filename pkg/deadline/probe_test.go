package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// probing is a socket of the kernel's defaults that has just sent the fourth
// probe of a zero window; the persist timer first ran out 2800 ms before.
func probing() flow.Socket {
	return flow.Socket{
		State: flow.Established, At: start, Live: true, Unsent: 7, Pending: flow.TimerProbe, Backoff: 4, ProbesOut: 4,
		RTO: 200 * time.Millisecond, RTOMax: 120 * time.Second, Retries2: 15, ProbesStamp: start.Add(-2800 * time.Millisecond),
		Tick: tick, Jiffies: 1_000_000, TimerJiffies: 1_000_800, TimerLevel: 2, // 3.2 s
	}
}

func TestProbing(t *testing.T) {
	orphan := func(s *flow.Socket) { s.Orphan = true }
	answered := func(s *flow.Socket) { s.ProbesOut = 1 }
	for _, c := range []struct {
		name     string
		changes  []func(*flow.Socket)
		from, to time.Duration // after the first probe; both 0: never
	}{
		// 0.4 to 102.4 s, doubling, make 204.4 s; six more take 120 s each.
		{"silent", nil, 924 * time.Second, 1010 * time.Second},
		{"answered", []func(*flow.Socket){answered}, 0, 0},
		{"answered, with a user timeout", []func(*flow.Socket){answered, func(s *flow.Socket) { s.UserTimeout = 10 * time.Second }}, 10 * time.Second, 11 * time.Second},
		{"silent, with a user timeout", []func(*flow.Socket){func(s *flow.Socket) { s.UserTimeout = 10 * time.Second }}, 10 * time.Second, 11 * time.Second},
		{"silent, tcp_retries2 = 5", []func(*flow.Socket){func(s *flow.Socket) { s.Retries2 = 5 }}, 12 * time.Second, 13800 * time.Millisecond},
		{"silent again, tcp_retries2 = 5: the back-off stops there", []func(*flow.Socket){func(s *flow.Socket) { s.Retries2, s.Backoff, s.ProbesOut = 5, 5, 2 }}, 25 * time.Second, 28 * time.Second},
		{"an orphan", []func(*flow.Socket){orphan}, 102 * time.Second, 115 * time.Second},
		{"an orphan, answered", []func(*flow.Socket){orphan, answered}, 324 * time.Second, 345 * time.Second},
		{"an orphan that is not alive", []func(*flow.Socket){orphan, answered, func(s *flow.Socket) { s.RTOMax = 3 * time.Second }}, 6 * time.Second, 7 * time.Second},
		{"an answered orphan with retries ends by its back-off", []func(*flow.Socket){orphan, answered, func(s *flow.Socket) { s.OrphanRetries = 5 }}, 324 * time.Second, 345 * time.Second},
		{"a probe takes 200 ms at least", []func(*flow.Socket){func(s *flow.Socket) { s.RTO, s.Retries2 = 10*time.Millisecond, 5 }}, 12 * time.Second, 13800 * time.Millisecond},
	} {
		s := probing()
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
		if after := got.At.Sub(s.ProbesStamp); after < c.from || after > c.to {
			t.Errorf("%s: gives up after %v, want %v to %v", c.name, after, c.from, c.to)
		}
	}
}

func TestLocalDropBeforeTheFirstWrite(t *testing.T) {
	refused := probing()
	refused.SendWindow, refused.ProbesOut, refused.Backoff, refused.TimerJiffies, refused.TimerLevel = 65535, 1, 1, 1_000_100, 1
	refused.ProbesStamp = start
	// One probe is no answer when the window is open.
	if after := deadline.GivesUp(refused).At.Sub(start); after < 924*time.Second || after > 1010*time.Second {
		t.Errorf("refused: gives up after %v, want about 925 s", after)
	}
	congested := refused
	congested.Backoff, congested.TimerJiffies = 0, 1_000_125
	if after := deadline.GivesUp(congested).At.Sub(start); after < 7*time.Second || after > 8*time.Second {
		t.Errorf("dropped by a full queue: gives up after %v, want 15 × 0.5 s", after)
	}
}

func TestAUserTimeoutCountsFromTheFirstProbe(t *testing.T) {
	s := probing()
	s.ProbesOut, s.Backoff, s.ProbesStamp, s.UserTimeout = 0, 0, time.Time{}, 5*time.Second
	s.TimerJiffies, s.TimerLevel = 1_000_050, 0
	first := start.Add(51 * tick)
	if after := deadline.GivesUp(s).At.Sub(first); after < 5*time.Second || after > 5600*time.Millisecond {
		t.Errorf("gives up %v after the first probe, want 5 s", after)
	}
}
