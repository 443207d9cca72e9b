package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// connecting is a socket of the kernel's defaults that has just sent its SYN
// again, 1 s after the first.
func connecting() flow.Socket {
	return flow.Socket{
		State: flow.SynSent, At: start, Live: true, PacketsOut: 1, Retransmits: 1, Pending: flow.TimerRetransmit,
		RTO: time.Second, RTOMax: 120 * time.Second, Retries2: 15, SynRetries: 6, SynLinear: 4,
		RetransStamp: start.Add(-time.Second), Tick: tick, Jiffies: 1_000_000, TimerJiffies: 1_000_250, TimerLevel: 1,
	}
}

func TestConnecting(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*flow.Socket)
		from, to time.Duration // after the first SYN
	}{
		{"defaults since 6.5", func(*flow.Socket) {}, 131 * time.Second, 141 * time.Second},
		{"defaults before", func(s *flow.Socket) { s.SynLinear, s.RTO = 0, 2*time.Second }, 127 * time.Second, 137 * time.Second},
		{"tcp_syn_retries = 1: the time ends it, not the count", func(s *flow.Socket) { s.SynRetries = 1 }, 3 * time.Second, 3200 * time.Millisecond},
		{"a user timeout", func(s *flow.Socket) { s.UserTimeout = 2500 * time.Millisecond }, 2500 * time.Millisecond, 2600 * time.Millisecond},
		{"a user timeout does not outlive the count", func(s *flow.Socket) { s.UserTimeout = time.Hour }, 131 * time.Second, 141 * time.Second},
		{"TCP_RTO_MAX_MS = 1000", func(s *flow.Socket) { s.SynRetries, s.SynLinear, s.RTOMax = 1, 0, time.Second }, 2 * time.Second, 2100 * time.Millisecond},
	} {
		s := connecting()
		c.change(&s)
		got := deadline.GivesUp(s)
		if after := got.At.Sub(s.RetransStamp); after < c.from || after > c.to {
			t.Errorf("%s: gives up after %v, want %v to %v", c.name, after, c.from, c.to)
		}
	}
}

func TestConnectingInsideTheTimersHandler(t *testing.T) {
	s := connecting()
	s.Pending, s.TimerJiffies = flow.TimerNone, 0
	if got, want := deadline.GivesUp(s).At, deadline.GivesUp(connecting()).At; !got.Equal(want) {
		t.Errorf("read inside the handler it gives up at %v, right after it at %v", got, want)
	}
}
