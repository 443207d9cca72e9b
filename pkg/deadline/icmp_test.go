package deadline_test

import (
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// shaken is a socket to which a router said that the host is unreachable.
func shaken() flow.Socket {
	s := established()
	s.SoftErr, s.Remote = int(syscall.EHOSTUNREACH), netip.MustParseAddrPort("203.0.113.9:443")
	return s
}

// TestICMPTakesBackoffsBack plays the kernel's timer while ICMP errors come or do not: however
// that is, it dies inside the interval, at each of its readings.
func TestICMPTakesBackoffsBack(t *testing.T) {
	for seed := range uint64(2_000) {
		r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // repeatable cases
		s := shaken()
		s.Retries2 = 3 + r.IntN(13)
		if r.IntN(3) == 0 {
			s.UserTimeout = time.Duration(1+r.IntN(100)) * time.Second
		}
		answered := r.Float64() // how often a retransmission is answered with ICMP
		limit := deadline.WhileSending(s)
		base := s.RTO / 2
		var readings []flow.GivesUp
		for steps := 0; ; steps++ {
			readings = append(readings, deadline.GivesUp(s))
			fires := s.Jiffies + deadlineTicks(s)
			now := s.At.Add(time.Duration(fires-s.Jiffies) * s.Tick)
			s.At, s.Jiffies = now, fires
			if now.Sub(s.RetransStamp) >= limit {
				break
			}
			if s.RTO = min(2*s.RTO, s.RTOMax); r.Float64() < answered {
				s.RTO = max(base, s.RTO/2)
			}
			s.Retransmits++
			arm(&s, limit)
			if steps > 100_000 {
				t.Fatal("it does not die")
			}
		}
		for n, g := range readings {
			if s.At.Before(g.At.Add(-s.Tick)) || s.At.After(g.By.Add(s.Tick)) {
				t.Fatalf("seed %d: dies %v after its first retransmission; reading %d of %d said %v to %v", seed, s.At.Sub(s.RetransStamp), n, len(readings),
					g.At.Sub(s.RetransStamp), g.By.Sub(s.RetransStamp))
			}
		}
	}
}

// deadlineTicks returns in how many jiffies the armed timer fires.
func deadlineTicks(s flow.Socket) uint64 {
	return deadline.Wheel(s.Jiffies, s.TimerJiffies) - s.Jiffies
}

// arm arms the timer as tcp_retransmit_timer does.
func arm(s *flow.Socket, limit time.Duration) {
	wait := s.RTO
	if s.UserTimeout > 0 {
		wait = min(wait, max(limit-s.At.Sub(s.RetransStamp), s.Tick))
	}
	s.TimerJiffies = s.Jiffies + uint64((wait+s.Tick-1)/s.Tick)
	s.TimerLevel = 0
	for fires := deadline.Wheel(s.Jiffies, s.TimerJiffies); s.TimerLevel < 8 && (fires-s.Jiffies)>>(3*s.TimerLevel) >= 63; {
		s.TimerLevel++
	}
}

func TestWhatShakesNothing(t *testing.T) {
	for name, change := range map[string]func(*flow.Socket){
		"a port is unreachable":        func(s *flow.Socket) { s.SoftErr = int(syscall.ECONNREFUSED) },
		"this host refuses":            func(s *flow.Socket) { s.SendErr = int(syscall.EHOSTUNREACH) },
		"a host, over IPv6":            func(s *flow.Socket) { s.Remote = netip.MustParseAddrPort("[2001:db8::9]:443") },
		"nothing":                      func(s *flow.Socket) { s.SoftErr = 0 },
		"before the connection's made": func(s *flow.Socket) { s.State, s.SynRetries, s.SynLinear = flow.SynSent, 6, 4 },
	} {
		s := shaken()
		change(&s)
		if g := deadline.GivesUp(s); !g.Exact() {
			t.Errorf("%s: %v to %v", name, g.At, g.By)
		}
	}
}

// TestAQueueThatDrops: the kernel tries again every 500 ms.
func TestAQueueThatDrops(t *testing.T) {
	s := established()
	s.SendErr, s.Retries2 = -1, 5
	limit := deadline.WhileSending(s)
	g := deadline.GivesUp(s)
	if after := g.At.Sub(start); after < limit || after > limit+600*time.Millisecond || !g.Exact() {
		t.Errorf("gives up after %v, want the first try past %v", after, limit)
	}
}
