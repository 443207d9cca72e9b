package inspector

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// TestJudgingAgainHasABudget: what points at changed addresses waits until
// something is saved, and is not forgotten.
func TestJudgingAgainHasABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, _, i := standing()
		kernel.socket.Remote = netip.MustParseAddrPort("192.168.136.2:8000")
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		changed := map[netip.Addr]struct{}{kernel.socket.Remote.Addr(): {}}
		i.clusterChanged(t.Context(), nil) // the first health turns everything
		time.Sleep(tick)
		i.clusterChanged(t.Context(), changed)
		judged := time.Now()
		if got := i.o.Ledger.Entry(1).Evidence().Now; !got.Equal(judged) {
			t.Fatalf("judged %v ago, want at once", judged.Sub(got))
		}
		i.budgets.judging.Charge(time.Hour, time.Now())
		time.Sleep(tick)
		i.clusterChanged(t.Context(), changed)
		i.judgeMoved(t.Context())
		if got := i.o.Ledger.Entry(1).Evidence().Now; !got.Equal(judged) {
			t.Error("judged again while the budget is used up")
		}
		time.Sleep(owed)
		i.judgeMoved(t.Context())
		if got := i.o.Ledger.Entry(1).Evidence().Now; !got.Equal(time.Now()) {
			t.Error("not judged again once something is saved")
		}
		at := time.Now()
		time.Sleep(tick)
		i.judgeMoved(t.Context())
		if got := i.o.Ledger.Entry(1).Evidence().Now; !got.Equal(at) {
			t.Error("judged again, and nothing changed")
		}
	})
}

// TestTrustThatFlapsHasABudget: every flow is judged again when it turns.
func TestTrustThatFlapsHasABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, _, i := standing()
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		i.clusterChanged(t.Context(), nil) // the first health turns everything
		judged := func() time.Time { return i.o.Ledger.Entry(1).Evidence().Now }
		turn := func() {
			time.Sleep(tick)
			i.sources.outOfDate = !i.sources.outOfDate
			i.clusterChanged(t.Context(), nil)
		}
		if turn(); !judged().Equal(time.Now()) {
			t.Fatalf("judged %v ago, want at once", time.Since(judged()))
		}
		at := judged()
		i.budgets.judging.Charge(time.Hour, time.Now())
		if turn(); !judged().Equal(at) {
			t.Error("judged again while the budget is used up")
		}
		time.Sleep(owed)
		if i.judgeMoved(t.Context()); !judged().Equal(time.Now()) {
			t.Error("not judged again once something is saved")
		}
		at = judged()
		time.Sleep(tick)
		if i.judgeMoved(t.Context()); !judged().Equal(at) {
			t.Error("judged again, and nothing turned")
		}
	})
}

// TestWhatMovedIsLookedForWhateverWasSpent: a recovery shows within seconds.
func TestWhatMovedIsLookedForWhateverWasSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		kernel := &waiting{holding: holding{emptied: make(emptied, 1), socket: flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1}}}
		i := watching(Options{Kernel: kernel, StuckAfter: time.Hour})
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		i.look(t.Context(), false, false)
		kernel.readings = 0
		for range 40 {
			time.Sleep(tick)
			i.budgets.readings.Charge(time.Hour, time.Now())
			i.look(t.Context(), false, false)
		}
		if kernel.readings < 8 || kernel.readings > 10 {
			t.Errorf("%d looks in 40 s of debt, want one every 4 s", kernel.readings)
		}
	})
}

// TestFewFlowsHaveTheirTurnInDebt: while the budget is in debt, looks for flows
// that moved continue, with few others.
func TestFewFlowsHaveTheirTurnInDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		kernel := &waiting{holding: holding{emptied: make(emptied, 1), socket: flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1}}}
		i := watching(Options{Kernel: kernel, StuckAfter: time.Hour})
		for id := range flow.ID(2 * fewRereads) {
			s := kernel.socket
			s.ID = id + 1
			take(t.Context(), i, tracer.Record{Suspect: &s})
		}
		time.Sleep(looks)
		i.look(t.Context(), false, false)
		if kernel.named != 2*fewRereads {
			t.Errorf("%d flows had their turn, want all", kernel.named)
		}
		time.Sleep(looks)
		i.budgets.readings.Charge(time.Hour, time.Now())
		i.look(t.Context(), false, false)
		if kernel.named != fewRereads {
			t.Errorf("%d flows had their turn in debt, want %d", kernel.named, fewRereads)
		}
	})
}

// TestNothingIsStuckBeyondItsAbortDeadlineUnread: however much was spent, and
// whichever flow's turn it is.
func TestNothingIsStuckBeyondItsAbortDeadlineUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		kernel := &holding{emptied: make(emptied, 1), socket: flow.Socket{
			ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1, Retransmits: 1, PacketsOut: 1, Pending: flow.TimerRetransmit,
			RTO: time.Second, RTOMax: 2 * time.Minute, Retries2: 15, Tick: 4 * time.Millisecond, UserTimeout: time.Minute, RetransStamp: now, TimerAt: now.Add(time.Second),
		}}
		events := &ofFlows{}
		i := watching(Options{Kernel: kernel, Sinks: []Sink{events}})
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		e := i.o.Ledger.Entry(1)
		i.phases.report(verdict{entry: e.Judge(e.Evidence(), diagnosis.Decide(new(e.Evidence()))).Report(now, "found stuck")})
		kernel.socket.Live = false // and no record of that comes
		deadline := e.Evidence().GivesUp.At
		time.Sleep(i.untilDue())
		i.due(t.Context())
		if late := time.Since(deadline); late < 0 || late > time.Second {
			t.Errorf("read %v after its abort deadline", late)
		}
		if got := events.published; len(got) != 1 || got[0].Type != flow.EventRecovered {
			t.Errorf("events %+v, want that it recovered", got)
		}
	})
}
