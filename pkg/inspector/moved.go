package inspector

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// moved are addresses that have changed and whose flows were not judged since.
type moved map[netip.Addr]struct{}

// clusterChanged judges the flows again that point at a changed address. It
// returns the steps that look for idle flows there, which run as soon as nothing
// else waits.
func (i *Inspector) clusterChanged(ctx context.Context, changed map[netip.Addr]struct{}) []step {
	if i.checkHealth(ctx) {
		i.judgeAll(ctx)
	}
	for addr := range changed {
		i.moved[addr] = struct{}{}
	}
	gone := i.departed.Note(changed, i.sources.outOfDate, i.idleAt)
	i.judgeMoved(ctx)
	return i.seekGone(gone)
}

// judgeMoved judges the flows that point at a changed address. It also looks for such flows
// that were suppressed and found no room. Both have a budget: if records flap, flows are
// judged again only as often as it allows.
func (i *Inspector) judgeMoved(ctx context.Context) {
	if len(i.moved) == 0 || !i.budgets.judging.Allows(time.Now()) {
		return
	}
	i.budgets.judging.Run(func() {
		i.o.Ledger.Reconsider(i.moved)
		some := ledger.At(i.o.Ledger.Entries(), i.moved)
		clear(i.moved)
		i.phases.turn(ctx, collected{}, asked(some, isMoved))
	})
}

// judgeAll judges every flow again, because trust in the records has turned. It
// also looks for flows that these records suppressed.
func (i *Inspector) judgeAll(ctx context.Context) {
	i.o.Ledger.Reconsider(nil)
	i.phases.turn(ctx, collected{}, asked(i.o.Ledger.Entries(), isMoved))
}

// idleAt returns the idle connections to addr that were found.
func (i *Inspector) idleAt(addr netip.Addr) []flow.Tuple {
	var tuples []flow.Tuple
	for _, e := range ledger.At(i.o.Ledger.Entries(), map[netip.Addr]struct{}{addr: {}}) {
		if e.Target().Addr() == addr && e.Idle() {
			tuples = append(tuples, e.Tuple())
		}
	}
	return tuples
}
