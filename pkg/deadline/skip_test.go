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
	skipped := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable cases
		s := randomSocket(r)
		stepped, steps := everyFiring(s)
		if got := retransmitting(s); !got.At.Equal(stepped) {
			t.Fatalf("seed %d: gives up at %v, followed firing by firing %v\n%+v", seed, got.At.Sub(s.At), stepped.Sub(s.At), s)
		}
		if steps > 100 {
			skipped++
		}
	}
	if skipped < 1000 {
		t.Errorf("%d sockets with more than a hundred firings, want a thousand", skipped)
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

func everyFiring(s flow.Socket) (time.Time, int) {
	tm := newTimer(s, true)
	for n := range maxTimeouts {
		if tm.retransmits > 0 && tm.elapsed() >= limit(s, tm.rto) {
			return tm.time(tm.fires), n
		}
		tm.retransmit(true)
	}
	return time.Time{}, maxTimeouts
}
