package deadline

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestSkippedFirings: what is skipped ends where the kernel's timer does when
// it is followed firing by firing.
func TestSkippedFirings(t *testing.T) {
	for _, clock := range []struct {
		name     string
		predict  func(flow.Socket) flow.GivesUp
		followed func(flow.Socket) (time.Time, int)
		lead     func(*rand.Rand, *flow.Socket) // into its own path
	}{
		{"retransmitting", retransmitting, everyRTO, func(*rand.Rand, *flow.Socket) {}},
		{"window closed with data in flight", windowClosed, everyRTOWithoutWindow, leadToClosedWindow},
		{"probing", probing, everyProbe, leadToProbing},
		{"keepalive", idle, everyKeepalive, leadToKeepalive},
	} {
		t.Run(clock.name, func(t *testing.T) {
			skipped := 0
			for seed := range uint64(5_000) {
				r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable cases
				s := randomSocket(r)
				clock.lead(r, &s)
				followed, steps := clock.followed(s)
				if got := clock.predict(s); !got.At.Equal(followed) || got.Never != followed.IsZero() {
					t.Fatalf("seed %d: gives up at %v (never: %v), followed firing by firing %v\n%+v", seed, got.At.Sub(s.At), got.Never, followed.Sub(s.At), s)
				}
				if steps > 100 {
					skipped++
				}
			}
			if skipped < 250 {
				t.Errorf("%d sockets with more than a hundred firings, want 250", skipped)
			}
		})
	}
}

func randomSocket(r *rand.Rand) flow.Socket {
	tick := []time.Duration{time.Millisecond, 4 * time.Millisecond, 10 * time.Millisecond}[r.IntN(3)]
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s := flow.Socket{
		At: at, Tick: tick, Jiffies: 1<<32 + r.Uint64N(1<<20), State: flow.Established, PacketsOut: 1, SendWindow: 1,
		RTOMax: time.Second + time.Duration(r.Int64N(int64(119*time.Second))), Retries2: r.IntN(200),
	}
	s.RTO = min(200*time.Millisecond<<r.IntN(12), s.RTOMax)
	if r.IntN(2) == 0 {
		s.UserTimeout = time.Duration(r.Int64N(int64(time.Hour)))
	}
	if r.IntN(4) == 0 {
		s.Orphan, s.OrphanRetries = true, r.IntN(30)
	}
	if r.IntN(2) == 0 {
		s.Retransmits = 1 + r.IntN(5)
		s.RetransStamp = at.Add(-time.Duration(r.Int64N(int64(time.Minute))))
	}
	if r.IntN(2) == 0 {
		s.Pending, s.TimerJiffies, s.TimerLevel = flow.TimerRetransmit, s.Jiffies+r.Uint64N(uint64(s.RTO/tick)), r.IntN(3)
	}
	return s
}

// leadToClosedWindow: the peer answers with a zero window or has fallen silent.
func leadToClosedWindow(r *rand.Rand, s *flow.Socket) {
	s.SendWindow, s.Orphan = 0, false
	s.Sent = s.At.Add(-time.Duration(r.Int64N(int64(time.Minute))))
	s.LastAck = s.Sent.Add(time.Duration(r.Int64N(int64(time.Minute))) - 10*time.Second)
	s.RTOMax = time.Second + time.Duration(r.Int64N(int64(9*time.Second)))
	s.RTO = min(s.RTO, s.RTOMax)
}

// leadToProbing: the peer confirms its zero window, is silent, or a full queue
// of this host takes the probes.
func leadToProbing(r *rand.Rand, s *flow.Socket) {
	s.PacketsOut, s.SendWindow, s.Retransmits, s.RetransStamp = 0, 0, 0, time.Time{}
	s.Retries2 = r.IntN(20)
	s.RTOMax = time.Second + time.Duration(r.Int64N(int64(9*time.Second)))
	s.RTO = min(s.RTO, s.RTOMax)
	s.Backoff, s.ProbesOut = r.IntN(s.Retries2+1), r.IntN(4)
	s.Pending, s.TimerJiffies = flow.TimerProbe, s.Jiffies+1+r.Uint64N(uint64(s.RTO/s.Tick))
	if r.IntN(2) == 0 {
		s.ProbesStamp = s.At.Add(-time.Duration(r.Int64N(int64(time.Minute))))
	}
}

func leadToKeepalive(r *rand.Rand, s *flow.Socket) {
	s.PacketsOut, s.Retransmits, s.RetransStamp, s.Pending, s.Orphan = 0, 0, time.Time{}, flow.TimerNone, false
	s.Keepalive, s.KeepaliveProbes, s.ProbesOut = true, 1+r.IntN(127), r.IntN(3)
	s.KeepaliveIdle = time.Second + time.Duration(r.Int64N(int64(time.Minute)))
	s.KeepaliveInterval = time.Second * time.Duration(1+r.IntN(10))
	s.LastAck = s.At.Add(-time.Duration(r.Int64N(int64(2 * time.Minute))))
	s.KeepaliveJiffies, s.KeepaliveLevel = s.Jiffies+r.Uint64N(1000), r.IntN(3)
}

// patience is more firings than any of these sockets lives to see.
const patience = 1 << 13

func everyRTO(s flow.Socket) (time.Time, int) {
	tm := newTimer(s, true)
	for n := range patience {
		if tm.retransmits > 0 && tm.elapsed() >= limit(s, tm.rto) {
			return tm.time(tm.fires), n
		}
		tm.retransmit(true)
	}
	return time.Time{}, patience
}

func everyRTOWithoutWindow(s flow.Socket) (time.Time, int) {
	answered := s.Pending == flow.TimerRetransmit && !s.LastAck.Before(s.Sent)
	silence := 2 * s.RTOMax
	if s.UserTimeout > 0 {
		silence = min(silence, s.UserTimeout)
	}
	tm := newTimer(s, true)
	for n := range patience {
		late := s.UserTimeout > 0 && tm.begun && tm.elapsed() > s.UserTimeout
		silent := !answered && tm.begun && tm.elapsed() > silence && tm.time(tm.expires).Sub(s.LastAck) > silence
		if late || silent {
			return tm.time(tm.fires), n
		}
		tm.retransmit(true)
	}
	return time.Time{}, patience
}

func everyProbe(s flow.Socket) (time.Time, int) {
	p := newProbe(s)
	for n := range patience {
		if p.dead() {
			return p.time(p.fires), n
		}
		p.send()
	}
	return time.Time{}, patience
}

func everyKeepalive(s flow.Socket) (time.Time, int) {
	c, probes := clockOf(s), s.ProbesOut
	fires := max(bucket(s.KeepaliveJiffies, s.KeepaliveLevel), s.Jiffies+1)
	for n := range patience {
		silent := c.time(fires).Sub(s.LastAck)
		wait := s.KeepaliveIdle - silent
		if wait <= 0 {
			if exhausted(s, probes, silent) {
				return c.time(fires), n
			}
			probes++
			wait = s.KeepaliveInterval
		}
		fires = Wheel(fires, fires+c.ticks(wait))
	}
	return time.Time{}, patience
}
