package inspector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// signalling is a kernel side that signs.
type signalling struct {
	counting
	signs tracer.Signs
}

func (s *signalling) Signs() (tracer.Signs, error) { return s.signs, nil }

// TestALookIsMadeForWhatMayBeSeen: each look visits every flow, and the budget for looks
// is used up.
func TestALookIsMadeForWhatMayBeSeen(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*signalling) // each ten seconds
		scans   bool
		old     bool // the kernel does not signal
		silent  bool
		looks   int // in 40 s
	}{
		"nothing":                    {looks: 0},
		"it recovers":                {happens: func(s *signalling) { s.signs.Recovered++ }, looks: 4},
		"a file scan":                {scans: true, looks: 8},
		"it is silent":               {silent: true, looks: 10},
		"the kernel does not signal": {old: true, looks: 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				kernel := &signalling{signs: tracer.Signs{Signalled: !c.old}, counting: counting{holding: holding{emptied: make(emptied, 1), socket: flow.Socket{
					ID: 1, State: flow.Established, Live: true, At: now, Since: now, PID: 42, Timeouts: 1, Retransmits: 1, PacketsOut: 1, Signals: !c.silent,
				}}}}
				i := watching(Options{Kernel: kernel, StuckAfter: time.Hour})
				take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
				kernel.looks = 0
				for second := range 40 {
					time.Sleep(tick)
					if c.happens != nil && second%10 == 5 {
						c.happens(kernel)
					}
					if !c.scans {
						i.collector.scannedAt = time.Now()
					}
					i.collector.pace.Took(0, 1)
					i.budgets.readings.Charge(time.Hour, time.Now())
					do(t.Context(), i.round().steps)
				}
				if kernel.looks != c.looks {
					t.Errorf("%d looks in 40 s, want %d", kernel.looks, c.looks)
				}
			})
		})
	}
}

// TestWhatIsLeftOutOnTheKernelSideIsAnnounced: while it goes on, and a minute longer.
func TestWhatIsLeftOutOnTheKernelSideIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &signalling{counting: counting{holding: holding{emptied: make(emptied, 1)}}}
		i := watching(Options{Kernel: kernel})
		health := func() flow.Health {
			i.collector.readSigns()
			return i.kernelHealth(time.Now())
		}
		if h := health(); !h.Up {
			t.Fatalf("degraded from the start: %s", h.Detail)
		}
		kernel.signs.Unwatched = 3
		want := "not all flows are watched: 3 times a socket found no place. Its options leave no room for storage (net.core.optmem_max), and the places for such sockets are shared"
		if h := health(); h.Up || h.Detail != want {
			t.Errorf("up %v, %q", h.Up, h.Detail)
		}
		time.Sleep(time.Minute - time.Second)
		if h := health(); h.Up {
			t.Error("restored after less than a minute")
		}
		time.Sleep(time.Second)
		if h := health(); !h.Up {
			t.Errorf("not restored after a minute: %s", h.Detail)
		}
	})
}
