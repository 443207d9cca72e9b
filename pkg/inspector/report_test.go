package inspector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// TestATurnReportsEverythingInOrder: however many flows are due, their events
// came in order when the turn ends, those that were stuck for longest first.
func TestATurnReportsEverythingInOrder(t *testing.T) {
	for _, flows := range []int{1, worthwhile - 1, worthwhile, share, share + 1, 3*share + 7} {
		synctest.Test(t, func(t *testing.T) {
			var events published
			i := watching(Options{Kernel: emptied(nil), Sinks: []Sink{&events}})
			i.phases.ledger = ledger.New(ledger.Options{StuckAfter: i.o.StuckAfter, MaxFlows: flows}, time.Now())
			var tasks []task
			for n := range flows {
				id, now := flow.ID(n+1), time.Now()
				i.phases.ledger.Observe(flow.Socket{ID: id, State: flow.Established, Live: true, At: now, Since: now.Add(-time.Minute), Timeouts: 3, Retransmits: 3, PacketsOut: 1})
				tasks = append(tasks, task{why: isDue, id: id})
			}
			i.phases.turn(t.Context(), collected{}, tasks)
			if len(events) != flows {
				t.Fatalf("%d events of %d flows", len(events), flows)
			}
			for n, e := range events {
				if want := flow.ID(n + 1); e.Type != flow.EventStuck || e.Flow.ID != want {
					t.Fatalf("event %d of %d is %s of flow %d, want of %d", n+1, flows, e.Type, e.Flow.ID, want)
				}
			}
		})
	}
}
