package inspector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// crowd is a kernel side with many sockets. A look at each takes time.
type crowd struct {
	emptied
	sockets []flow.Socket
	each    time.Duration
	shown   func(n int) // after so many
}

func (c *crowd) Snapshot(show func(flow.Socket)) error { return c.Incremental(nil, show) }

func (c *crowd) Incremental(_ []flow.ID, show func(flow.Socket)) error {
	for n, s := range c.sockets {
		time.Sleep(c.each)
		s.At = time.Now()
		show(s)
		if c.shown != nil {
			c.shown(n + 1)
		}
	}
	return nil
}

// dueAt returns sockets that wait for an answer since a time; the first one stands
// before a shut window.
func dueAt(since time.Time, n int) []flow.Socket {
	sockets := make([]flow.Socket, n)
	for i := range sockets {
		sockets[i] = flow.Socket{ID: flow.ID(i + 1), State: flow.Established, Live: true, At: since, Since: since, PID: 42, Timeouts: 1, Retransmits: 1, PacketsOut: 1, SendWindow: 9}
	}
	first := &sockets[0]
	first.Retransmits, first.PacketsOut, first.SendWindow, first.Pending, first.Unsent = 0, 0, 0, flow.TimerProbe, 9
	return sockets
}

// roomy returns a ledger for some shares.
func roomy() *ledger.Ledger {
	return ledger.New(ledger.Options{StuckAfter: 10 * time.Second, MaxFlows: 4 * share, KeepEnded: 10}, time.Now())
}

// TestVerdictsDoNotWaitForTheWholeLook: in a storm, a look at all flows takes a large
// part of a second. A verdict that depends on other flows waits for all of them.
func TestVerdictsDoNotWaitForTheWholeLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &crowd{emptied: make(emptied, 1), sockets: dueAt(time.Now(), 2*share)}
		i := watching(Options{Kernel: kernel, Ledger: roomy()})
		i.phases.turn(t.Context(), i.collector.snapshot(t.Context()), nil)
		time.Sleep(i.o.StuckAfter)
		stuck := func(from, to int) (n int) {
			for _, s := range kernel.sockets[from:to] {
				if i.o.Ledger.Entry(s.ID).Life() == ledger.Stuck {
					n++
				}
			}
			return n
		}
		kernel.shown = func(n int) {
			if n == share+1 && stuck(1, share+1) != share {
				t.Errorf("%d of the first %d flows that the look showed are judged", stuck(1, share+1), share)
			}
			if stuck(0, 1) != 0 {
				t.Fatalf("a shut window is judged after %d flows of %d", n, len(kernel.sockets))
			}
		}
		i.due(t.Context())
		if n := stuck(0, len(kernel.sockets)); n != len(kernel.sockets) {
			t.Errorf("%d flows of %d are judged", n, len(kernel.sockets))
		}
	})
}

// timed is a meter that notes how long a pass took.
type timed struct {
	noMeter
	took map[string]time.Duration
}

func (m timed) Scan(kind string, took time.Duration) { m.took[kind] = took }

// unhurried is a sink that takes its time.
type unhurried struct{}

func (unhurried) Publish(flow.Event) { time.Sleep(time.Second) }

// TestASnapshotTakesAsLongAsItsReading: verdicts on what it shows are no part of it.
func TestASnapshotTakesAsLongAsItsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &crowd{emptied: make(emptied, 1), sockets: dueAt(time.Now(), 3*share), each: time.Millisecond}
		meter := timed{took: map[string]time.Duration{}}
		i := watching(Options{Kernel: kernel, Ledger: roomy(), Meter: meter, Sinks: []Sink{unhurried{}}})
		i.phases.turn(t.Context(), i.collector.snapshot(t.Context()), nil)
		time.Sleep(i.o.StuckAfter)
		all := asked(i.o.Ledger.Due(time.Now()), isDue)
		i.phases.turn(t.Context(), i.collector.snapshot(t.Context()), all)
		if want := 3 * share * time.Millisecond; meter.took["snapshot"] != want {
			t.Errorf("a snapshot took %v, want the %v of its reading", meter.took["snapshot"], want)
		}
	})
}
