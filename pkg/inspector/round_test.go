package inspector

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// TestPendingRecordsGoBeforeTheNextStep: regular work is done in steps when no record
// waits, and all of it before the next round.
func TestPendingRecordsGoBeforeTheNextStep(t *testing.T) {
	done := 0
	next := func(context.Context) { done++ }
	r := round{steps: []step{next, next, next}}
	records := make(chan tracer.Record, 1)
	select {
	case <-r.spare(records):
		r.step(t.Context())
	default:
		t.Error("no step may be done while nothing waits")
	}
	records <- tracer.Record{}
	if r.spare(records) != nil {
		t.Error("a step may be done before a record that waits")
	}
	if done != 1 {
		t.Errorf("%d steps done, want 1", done)
	}
	if r.finish(t.Context(), func(context.Context) {}); done != 3 {
		t.Errorf("%d steps done by the next round, want 3", done)
	}
	if r.spare(make(chan tracer.Record)) != nil {
		t.Error("a step may be done where none is left")
	}
}

// TestATickMindsWhatIsNew: what is left of a round may take seconds. A record
// that comes meanwhile waits for one step of it, and so does a deadline.
func TestATickMindsWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		kernel := &holding{emptied: make(emptied, 1), socket: flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1}}
		events := &published{}
		i := watching(Options{Kernel: kernel, Sinks: []Sink{events}})
		r := round{steps: []step{
			func(context.Context) { kernel.emptied <- tracer.Record{Suspect: &kernel.socket} },
			func(context.Context) {
				if i.o.Ledger.View().Suspects() != 1 {
					t.Error("the record waits for the second step")
				}
				time.Sleep(i.o.StuckAfter)
			},
			func(context.Context) {
				if len(*events) != 1 {
					t.Errorf("events %+v before the third step, want that the flow is stuck", *events)
				}
			},
		}}
		r.finish(t.Context(), i.pending)
	})
}

// TestARemovalGoesBeforeTheRound: its steps are put before those that are
// left, in their order.
func TestARemovalGoesBeforeTheRound(t *testing.T) {
	var done []int
	is := func(n int) step { return func(context.Context) { done = append(done, n) } }
	r := round{steps: []step{is(3), is(4)}}
	r.first([]step{is(1), is(2)})
	r.finish(t.Context(), func(context.Context) {})
	if !slices.Equal(done, []int{1, 2, 3, 4}) {
		t.Errorf("the steps are done in the order %v", done)
	}
}
