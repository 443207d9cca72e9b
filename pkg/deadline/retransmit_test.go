package deadline_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestDefaultsGiveUpBetween924And1020Seconds(t *testing.T) {
	got := deadline.GivesUp(established())
	if after := got.At.Sub(start); after < 924600*time.Millisecond || after > 1020*time.Second {
		t.Errorf("gives up after %v, want the first RTO past 924.6 s", after)
	}
}

func TestUserTimeoutReplacesRetries2(t *testing.T) {
	for _, limit := range []time.Duration{5 * time.Second, 20 * time.Minute} { // it may also lengthen
		s := established()
		s.UserTimeout = limit
		got := deadline.GivesUp(s)
		// The last timer is clamped to the user timeout; the wheel adds up
		// to an eighth of that wait.
		if after := got.At.Sub(start); after < limit || after > limit+limit/8 {
			t.Errorf("user timeout %v: gives up after %v", limit, after)
		}
	}
}

func TestInsideTheTimersHandler(t *testing.T) {
	s := established()
	s.Pending, s.RTO, s.RetransStamp, s.TimerJiffies = flow.TimerNone, 204*time.Millisecond, time.Time{}, 0
	got, later := deadline.GivesUp(s), deadline.GivesUp(established())
	if d := got.At.Sub(later.At).Abs(); d > tick {
		t.Errorf("read inside the handler it gives up at %v, right after it at %v", got.At, later.At)
	}
}

func TestLaterReadingsAgree(t *testing.T) {
	first := deadline.GivesUp(established()).At
	s := established() // the same socket after the timer fired three times more
	fires := deadline.Wheel(s.Jiffies, s.TimerJiffies)
	for range 3 {
		s.RTO *= 2
		s.Jiffies, s.TimerJiffies = fires, fires+uint64(s.RTO/tick)
		fires = deadline.Wheel(s.Jiffies, s.TimerJiffies)
	}
	s.TimerLevel = 2 // 3264 ms are 816 jiffies, between 63 << 3 and 63 << 6
	s.At = start.Add(time.Duration(s.Jiffies-1_000_000) * tick)
	if got := deadline.GivesUp(s).At; !got.Equal(first) {
		t.Errorf("after RTO #4 it gives up at %v, after RTO #1 at %v", got, first)
	}
}

func TestOrphan(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*flow.Socket)
		from, to time.Duration // after RTO #1
	}{
		{"tcp_orphan_retries = 0 means 8", func(*flow.Socket) {}, 102200 * time.Millisecond, 133 * time.Second},
		{"tcp_orphan_retries = 2", func(s *flow.Socket) { s.OrphanRetries = 2 }, 1400 * time.Millisecond, 3 * time.Second},
		{"a user timeout lengthens", func(s *flow.Socket) { s.UserTimeout = 5 * time.Minute }, 5 * time.Minute, 340 * time.Second},
		{"not alive: 0 means 0", func(s *flow.Socket) { s.RTO = s.RTOMax }, 0, time.Second},
		{"not alive, with retries", func(s *flow.Socket) { s.RTO, s.OrphanRetries = s.RTOMax, 9 }, 204 * time.Second, 280 * time.Second},
		{"not alive, with retries and an ICMP error", func(s *flow.Socket) {
			s.RTO, s.OrphanRetries, s.SoftErr = s.RTOMax, 9, int(syscall.EHOSTUNREACH)
		}, 0, time.Second},
	} {
		s := established()
		s.Orphan = true
		c.change(&s)
		got := deadline.GivesUp(s)
		if after := got.At.Sub(start); after < c.from || after > c.to {
			t.Errorf("%s: gives up after %v, want %v to %v", c.name, after, c.from, c.to)
		}
	}
}

func TestTheFirstTimeoutKillsNobody(t *testing.T) {
	s := established()
	s.Retransmits, s.RetransStamp, s.Retries2, s.RTOMax = 0, time.Time{}, 0, time.Minute
	fires := deadline.Wheel(s.Jiffies, s.TimerJiffies)
	second := deadline.Wheel(fires, fires+uint64(2*s.RTO/tick))
	if got, want := deadline.GivesUp(s).At, start.Add(time.Duration(second-s.Jiffies)*tick); !got.Equal(want) {
		t.Errorf("gives up at %v, want RTO #2 at %v", got, want)
	}
}
