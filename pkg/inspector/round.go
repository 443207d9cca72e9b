package inspector

import (
	"context"
	"slices"
	"time"

	"net/netip"

	"github.com/tcpstuck/tcpstuck/pkg/departed"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// step is a part of the work that can wait: it takes some ten milliseconds when
// many flows are stuck.
type step func(context.Context)

// round is the regular work of one tick, in steps. New records and due flows have
// their turn between two steps.
type round struct{ steps []step }

// spare is ready when a step is left and no record waits.
func (r *round) spare(records <-chan tracer.Record) <-chan struct{} {
	if len(r.steps) == 0 || len(records) > 0 {
		return nil
	}
	ready := make(chan struct{})
	close(ready)
	return ready
}

func (r *round) step(ctx context.Context) {
	next := r.steps[0]
	r.steps = r.steps[1:]
	next(ctx)
}

// first puts steps before all others.
func (r *round) first(steps []step) { r.steps = append(steps, r.steps...) }

// finish does the remaining steps before the next tick. A step may be slow, so new
// records have their turn before the next one here, too.
func (r *round) finish(ctx context.Context, pending step) {
	for len(r.steps) > 0 && ctx.Err() == nil {
		r.step(ctx)
		pending(ctx)
	}
}

// round returns the regular round: the file scan, a look at the suspects, flows
// without an answer of conntrack, searches for idle flows, and health.
func (i *Inspector) round() round {
	i.asker.NewRound()
	lost := i.collector.readSigns()
	if lost {
		i.o.Meter.Resync()
	}
	scanned := false
	steps := []step{
		func(ctx context.Context) {
			if scanned = i.collector.scanIsDue() || i.ownersAreDue(); scanned {
				i.scan(ctx)
			}
		},
		func(ctx context.Context) {
			if scanned {
				i.asker.SeekTranslation(ctx)
				i.checkStale(ctx)
			}
		},
		func(ctx context.Context) { i.look(ctx, lost, scanned) },
		i.askUnanswered,
		i.meetPeers,
	}
	steps = slices.Concat(steps, i.seekAgain(), i.seekIdle())
	return round{append(steps, i.checkTrust, i.judgeMoved, i.due)}
}

// ownersAreDue reports whether a file scan is worth its cost now: a flow is due before
// the next round, and owners are not known. Otherwise the flow's report would wait for
// the scan.
func (i *Inspector) ownersAreDue() bool {
	next := i.o.Ledger.Next()
	return i.phases.ownerless && !next.IsZero() && time.Until(next) <= tick && i.collector.mayScan()
}

const owes = 10 * time.Second // the shortest time between two complete looks for flows that were dropped

// look reads everything after a loss or a failed read, and if flows that are not
// held may stand still. Otherwise it reads what is new, what moved, and the flows
// whose turn it is, which are judged by their reading and the clock.
func (i *Inspector) look(ctx context.Context, lost, scanned bool) {
	l, now := i.o.Ledger, time.Now()
	owed := l.Owed() && now.Sub(i.budgets.owedAt) >= owes
	switch {
	case lost || i.collector.unread || owed:
		if owed {
			i.budgets.owedAt = now
		}
		i.phases.turn(ctx, i.collector.snapshot(ctx), nil)
	case !scanned && l.Len() == 0:
	case i.budgets.readings.Allows(now):
		i.lookInTurn(ctx, rereads)
	case i.collector.lookIsDue(scanned, l.Silent()):
		i.lookInTurn(ctx, fewRereads)
	}
}

// lookInTurn reads what is new, and at most this many flows whose turn it is.
func (i *Inspector) lookInTurn(ctx context.Context, flows int) {
	named := i.o.Ledger.Turn(flows)
	tasks := make([]task, len(named))
	for n, id := range named {
		tasks[n] = task{why: isAged, id: id}
	}
	i.budgets.readings.Run(func() { i.phases.turn(ctx, i.collector.look(ctx, named), tasks) })
}

// madeGood is how many questions without an answer are repeated in one tick, as
// soon as conntrack answers.
const madeGood = 500

// askUnanswered asks conntrack again about the flows for which it had no answer:
// one in a round while it fails, and many as soon as it answers.
func (i *Inspector) askUnanswered(ctx context.Context) {
	if !i.asker.Unanswered() {
		return
	}
	open := slices.DeleteFunc(i.o.Ledger.Entries(), func(e *ledger.Entry) bool { return !e.Unanswered() })
	if len(open) == 0 {
		i.asker.Answered()
		return
	}
	i.phases.turn(ctx, collected{}, asked(open[:1], isUnanswered))
	if rest := open[1:min(madeGood, len(open))]; !i.asker.ConntrackFails() {
		i.phases.turn(ctx, collected{}, asked(rest, isUnanswered))
	}
}

// checkTrust has all flows judged again when trust in the cluster's records begins or
// ends.
func (i *Inspector) checkTrust(ctx context.Context) {
	if i.checkHealth(ctx) {
		i.moved.trust = true
	}
}

// meetEvery is how often the cluster source gets the peers of this node.
const meetEvery = time.Minute

// meetPeers gives the cluster source the remote addresses of this node's
// connections, so that it reads the records of these pods while they live. It
// costs one more pass over all sockets, within their budget.
func (i *Inspector) meetPeers(context.Context) {
	now := time.Now()
	if i.o.Peers == nil || !i.metAt.IsZero() && now.Sub(i.metAt) < meetEvery-tick/2 || !i.collector.mayScan() {
		return
	}
	i.metAt = now
	i.budgets.scans.Run(func() {
		peers, err := i.o.Peers.Peers()
		if err != nil {
			i.o.Log.Debug("the addresses that this node talks to could not be read", "error", err)
			return
		}
		i.o.Cluster.NotePeers(peers)
	})
}

// checkStale looks for conntrack entries that outlived their flows.
func (i *Inspector) checkStale(ctx context.Context) {
	stale, done := i.departed.Stale(ctx, func(of map[flow.Tuple]struct{}) map[flow.Tuple]struct{} {
		held := map[flow.Tuple]struct{}{}
		for _, e := range i.o.Ledger.Entries() {
			t := e.Tuple()
			if _, ok := of[t]; ok {
				held[t] = struct{}{}
			}
		}
		return held
	})
	if done {
		i.o.Ledger.View().SetStale(stale)
	}
}

// seekGone returns the steps that look for connections to peers that have just
// gone: the searches of conntrack, then those for idle sockets.
func (i *Inspector) seekGone(gone []netip.Addr) []step {
	var steps []step
	for _, addrs := range departed.Searches(gone) {
		steps = append(steps, func(ctx context.Context) { _ = i.departed.Search(ctx, addrs) })
	}
	return append(steps, i.seekIdle()...)
}

// seekAgain returns steps that repeat the searches that failed. If one fails
// again, the others wait for the next round.
func (i *Inspector) seekAgain() []step {
	var steps []step
	answered := true
	for _, addrs := range departed.Searches(i.departed.Unsearched()) {
		steps = append(steps, func(ctx context.Context) {
			if answered && i.departed.MaySearch() {
				answered = i.departed.Search(ctx, addrs)
			}
		})
	}
	return steps
}

// seekIdle returns the steps in which the kernel side looks for the idle sockets
// of gone peers. After a removal a file scan may run at once. If the budget for
// file scans is used up, the next regular round does it.
func (i *Inspector) seekIdle() []step {
	scanned := false
	return []step{
		func(ctx context.Context) {
			if scanned = i.departed.Pending() && i.collector.mayScan(); scanned {
				i.scan(ctx)
			}
		},
		func(ctx context.Context) {
			if scanned {
				i.phases.turn(ctx, i.collector.look(ctx, nil), nil)
			}
		},
	}
}
