package inspector

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// looked is a kernel side that shows one socket, and counts the complete
// looks.
type looked struct {
	holding
	complete int
}

func (c *looked) Snapshot(show func(flow.Socket)) error {
	c.complete++
	return c.Incremental(nil, show)
}

// ofFlows takes events about flows alone.
type ofFlows struct{ published }

func (o *ofFlows) Publish(e flow.Event) {
	if e.Flow != nil {
		o.published.Publish(e)
	}
}

// standing is a kernel side whose window has been shut for an hour, and what
// watches it.
func standing() (*looked, *published, *Inspector) {
	now := time.Now()
	kernel := &looked{holding: holding{emptied: make(emptied, 1), socket: flow.Socket{
		ID: 1, State: flow.Established, Live: true, At: now, Since: now.Add(-time.Hour), Timeouts: 1, Pending: flow.TimerProbe, Unsent: 9,
	}}}
	events := &ofFlows{}
	return kernel, &events.published, watching(Options{Kernel: kernel, Sinks: []Sink{events}})
}

// resume has what waited leave: no timer has run out on it since.
func resume(s *flow.Socket) {
	s.SendWindow, s.PacketsOut, s.Pending, s.Unsent, s.Unacknowledged = 9, 1, flow.TimerRetransmit, 0, 9
}

func TestWhatIsUnderWayAgainKeepsItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, events, i := standing()
		i.phases.turn(t.Context(), i.collector.snapshot(t.Context()), nil)
		i.due(t.Context())
		if len(*events) != 1 || (*events)[0].Flow.Symptom != flow.ZeroWindow {
			t.Fatalf("events %+v, want one of a window that is shut", *events)
		}
		resume(&kernel.socket)
		time.Sleep(tick)
		round := i.round()
		round.finish(t.Context(), i.pending)
		if len(*events) != 1 {
			t.Fatalf("event %+v while it is under way", (*events)[1])
		}
		kernel.socket.Retransmits, kernel.socket.Timeouts, kernel.socket.RetransOut = 1, 2, 1
		time.Sleep(tick)
		round = i.round()
		round.finish(t.Context(), i.pending)
		if len(*events) != 2 || (*events)[1].Type != flow.EventRevised || (*events)[1].Flow.Symptom != flow.Retransmitting {
			t.Errorf("events %+v, want that it is retransmitting", *events)
		}
	})
}

func TestWhatIsUnderWayAgainIsNotReportedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, events, i := standing()
		resume(&kernel.socket)
		i.phases.turn(t.Context(), i.collector.snapshot(t.Context()), nil)
		i.due(t.Context())
		if len(*events) != 0 {
			t.Fatalf("events %+v, and what waited is under way", *events)
		}
		kernel.socket.Retransmits = 1
		time.Sleep(tick)
		i.due(t.Context())
		if len(*events) != 1 || (*events)[0].Type != flow.EventStuck {
			t.Errorf("events %+v, want that it is stuck all the same", *events)
		}
	})
}

// TestAfterALookThatFailedEverythingIsRead: what it showed before it failed may
// count as shown, and never have come.
func TestAfterALookThatFailedEverythingIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, _, i := standing()
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		kernel.unread = errors.New("interrupted")
		i.look(t.Context(), false, false)
		if kernel.unread = nil; kernel.complete != 0 {
			t.Fatal("a complete look before one failed")
		}
		i.look(t.Context(), false, false)
		i.look(t.Context(), false, false)
		if kernel.complete != 1 {
			t.Errorf("%d complete looks after one that failed, want 1", kernel.complete)
		}
	})
}

// TestWhatWasForgottenIsLookedFor: the kernel side takes it for known.
func TestWhatWasForgottenIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, _, i := standing()
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		i.o.Ledger.Forget(kernel.socket.ID)
		for range 40 {
			i.look(t.Context(), false, true)
			time.Sleep(tick)
		}
		if kernel.complete != 2 || i.o.Ledger.Len() != 1 {
			t.Errorf("%d complete looks, %d flows are held; want 2, and the one that was forgotten", kernel.complete, i.o.Ledger.Len())
		}
	})
}

func TestAnIdleFlowThatItsOwnerClosesIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, events, i := standing()
		kernel.socket.Timeouts, kernel.socket.Pending, kernel.socket.Unsent, kernel.socket.SendWindow = 0, 0, 0, 9
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		reportNow(i, 1, flow.EventAtRisk)
		kernel.socket.State, kernel.socket.Orphan, kernel.socket.FinOutstanding = flow.FinWait1, true, true
		kernel.socket.At = time.Now()
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		if len(*events) != 2 || (*events)[1].Type != flow.EventEnded || (*events)[1].Flow.Outcome != flow.Closed {
			t.Errorf("events %+v, want that it was closed", *events)
		}
	})
}
