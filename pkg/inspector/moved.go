package inspector

import (
	"context"
	"maps"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// moved holds changes in the records until the flows that they concern are judged again.
type moved struct {
	addrs map[netip.Addr]struct{} // the records of these addresses have changed
	trust bool                    // trust in all records has begun or ended
}

// clusterChanged judges the flows again that point at a changed address. It
// returns the steps that look for idle flows there, which run as soon as nothing
// else waits.
func (i *Inspector) clusterChanged(ctx context.Context, changed map[netip.Addr]struct{}) []step {
	i.checkTrust(ctx)
	maps.Copy(i.moved.addrs, changed)
	gone := i.departed.Note(changed, i.sources.outOfDate, i.idleAt)
	i.judgeMoved(ctx)
	return i.seekGone(gone)
}

// judgeMoved judges the flows that point at a changed address, and every flow if trust in the
// records has turned. It also looks for such flows that were suppressed and found no room. All
// of that has a budget: if records or trust flap, flows are judged again only as often as it
// allows.
func (i *Inspector) judgeMoved(ctx context.Context) {
	m := &i.moved
	if len(m.addrs) == 0 && !m.trust || !i.budgets.judging.Allows(time.Now()) {
		return
	}
	i.budgets.judging.Run(func() {
		some := i.o.Ledger.Entries()
		if m.trust {
			i.o.Ledger.Reconsider(nil)
		} else {
			i.o.Ledger.Reconsider(m.addrs)
			some = ledger.At(some, m.addrs)
		}
		clear(m.addrs)
		m.trust = false
		i.phases.turn(ctx, collected{}, asked(some, isMoved))
	})
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
