package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const tick = 4 * time.Millisecond

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// established is a socket of the kernel's defaults right after RTO #1, which
// came 408 ms after the write.
func established() flow.Socket {
	return flow.Socket{
		State: flow.Established, At: start, Live: true, PacketsOut: 1, SendWindow: 65535, Retransmits: 1, Backoff: 1,
		Pending: flow.TimerRetransmit, RTO: 408 * time.Millisecond, RTOMax: 120 * time.Second, Retries2: 15,
		RetransStamp: start, Tick: tick, Jiffies: 1_000_000, TimerJiffies: 1_000_102, TimerLevel: 1,
	}
}

func TestModelIsTheKernels(t *testing.T) {
	for _, c := range []struct {
		n    int
		base time.Duration
		max  time.Duration
		want time.Duration
	}{
		{15, 200 * time.Millisecond, 120 * time.Second, 924600 * time.Millisecond}, // ip-sysctl.rst
		{3, 200 * time.Millisecond, 120 * time.Second, 3 * time.Second},
		{1, 200 * time.Millisecond, 120 * time.Second, 600 * time.Millisecond},
		{0, 200 * time.Millisecond, 120 * time.Second, 200 * time.Millisecond},
		{6, 200 * time.Millisecond, time.Second, 5400 * time.Millisecond},
		{6, time.Second, 120 * time.Second, 127 * time.Second}, // connect, tcp_syn_retries = 6
	} {
		if got := deadline.Model(c.n, c.base, c.max); got != c.want {
			t.Errorf("Model(%d, %v, %v) = %v, want %v", c.n, c.base, c.max, got, c.want)
		}
	}
}

func TestWheel(t *testing.T) {
	for _, c := range []struct{ now, expires, want uint64 }{
		{1000, 1000, 1001}, // already due
		{1000, 1010, 1011}, // level 0: one jiffy late
		{1000, 1062, 1063},
		{1000, 1063, 1064},                // level 1: rounded up to 8
		{1000, 1102, 1104},                //
		{1000, 1504, 1536},                // level 2: 64
		{1_000_000, 1_030_000, 1_030_144}, // level 3: 512
	} {
		if got := deadline.Wheel(c.now, c.expires); got != c.want {
			t.Errorf("Wheel(%d, %d) = %d, want %d", c.now, c.expires, got, c.want)
		}
	}
}

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

func TestZeroWindow(t *testing.T) {
	answered := flow.Socket{State: flow.Established, Tick: tick, Pending: flow.TimerProbe, Backoff: 4, ProbesOut: 1}
	if got := deadline.GivesUp(answered); !got.Never {
		t.Errorf("a zero window that is answered gives up at %v, want never", got)
	}
	silent := answered
	silent.ProbesOut = 3
	if got := deadline.GivesUp(silent); got.Never {
		t.Error("a zero window whose peer is silent is not for ever")
	}
}

func TestNothingIsGuessed(t *testing.T) {
	for name, change := range map[string]func(*flow.Socket){
		"connecting":                func(s *flow.Socket) { s.State = flow.SynSent },
		"orphan":                    func(s *flow.Socket) { s.Orphan = true },
		"nothing in flight":         func(s *flow.Socket) { s.PacketsOut = 0 },
		"no tick":                   func(s *flow.Socket) { s.Tick = 0 },
		"no retransmission timeout": func(s *flow.Socket) { s.RTO = 0 },
	} {
		s := established()
		change(&s)
		if got := deadline.GivesUp(s); got.Known() {
			t.Errorf("%s: gives up at %+v, want no answer", name, got)
		}
	}
}
