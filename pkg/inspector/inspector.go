// Package inspector is the loop in the middle. Each turn goes one way: it
// collects what the kernel side shows, applies that to the ledger, gathers
// evidence on the flows that it concerns, judges them, and reports what is new.
package inspector

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/departed"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

const (
	readShare   = 0.0004           // of a core that reading flows again, and judging them by that, may take
	askShare    = 0.0003           // of a core that asking again for entries that have aged may take
	judgeShare  = 0.02             // of a core that judging again after changed records may take
	searchShare = 0.01             // of a core that searches of the whole conntrack table may take, for verdicts and for removals each
	owed        = 5 * time.Second  // a debt delays work no longer than this
	scanOwed    = 30 * time.Second // the same, for file scans and looks
	rereads     = 500              // flows that are read again at once: the loop must not wait long
	fewRereads  = 50               // the same, while the budget for it is used up
	justRead    = tick / 20        // a reading younger than that need not be repeated before a report
)

// Inspector runs the loop; all its work happens in Run.
type Inspector struct {
	o         Options
	collector *collector
	phases    *phases
	asker     *evidence.Asker
	departed  *departed.Peers
	sources   sources
	budgets   budgets
	moved     moved
	metAt     time.Time // when the cluster source last got the peers
}

// budgets limit regular work.
type budgets struct {
	scans, readings, judging *budget.Budget
	owedAt                   time.Time // when the last complete look for dropped flows was
}

// New returns an inspector that has not looked at anything yet.
func New(o Options) *Inspector {
	o = o.withDefaults()
	now, books := time.Now(), &budget.Books{}
	b := budgets{
		scans: books.New(o.ScanCPU, scanOwed, now), readings: books.New(readShare, scanOwed, now),
		judging: books.New(judgeShare, owed, now),
	}
	names := evidence.Names{Cluster: o.Cluster, Owners: o.Owners, Places: o.Places, HostNetNS: o.HostNetNS}
	asker := evidence.New(evidence.Options{
		Names: names, Conntrack: o.Conntrack, ConntrackDown: o.ConntrackDown, Routes: o.Routes, Drops: o.Drops, Listening: o.Listening, Meter: o.Meter,
		Node: o.Node, StuckAfter: o.StuckAfter, ConntrackAge: o.ConntrackAge, Scans: b.scans, Searches: books.New(searchShare, owed, now),
	})
	return &Inspector{
		o: o, budgets: b, asker: asker, sources: sources{up: map[flow.Source]bool{}}, moved: moved{addrs: map[netip.Addr]struct{}{}},
		collector: &collector{kernel: o.Kernel, listening: o.Listening, meter: o.Meter, log: o.Log, scans: b.scans},
		phases: &phases{
			ledger: o.Ledger, asker: asker, cluster: o.Cluster, reporter: reporter{composer: ledger.NewComposer(o.Node, o.BootID), sinks: o.Sinks, books: books},
			upstreams: upstreams{entries: o.Ledger.Entries, known: map[reader]*diagnosis.Upstream{}},
			asking:    books.New(askShare, owed, now), stuckAfter: o.StuckAfter, conntrackAge: o.ConntrackAge,
		},
		departed: departed.New(departed.Options{
			Kernel: o.Kernel, Conntrack: o.Conntrack, Cluster: o.Cluster, Meter: o.Meter, Log: o.Log, Removals: books.New(searchShare, scanOwed, now),
		}),
	}
}

// Run works until the context ends. It first looks for flows that were stuck
// before it started, and then calls ready. When the context ends, a phase over
// many flows stops before its next flow, and nothing more is reported.
func (i *Inspector) Run(ctx context.Context, ready func()) error {
	i.scan(ctx)
	i.asker.SeekTranslation(ctx)
	i.phases.turn(ctx, i.collector.snapshot(ctx), nil)
	i.due(ctx)
	i.checkHealth(ctx)
	if ctx.Err() != nil {
		return nil
	}
	ready()
	ticker := newTicker(i.every())
	defer ticker.Stop()
	deadline := time.NewTimer(time.Hour)
	defer deadline.Stop()
	var round round
	for ctx.Err() == nil {
		deadline.Reset(i.untilDue())
		ticker.set(i.every())
		select {
		case <-ctx.Done():
		case r := <-i.o.Kernel.Records():
			i.phases.turn(ctx, collected{records: i.collector.records(ctx, r)}, nil)
		case <-i.o.Cluster.Changed():
			round.first(i.clusterChanged(ctx, i.o.Cluster.TakeChanged()))
		case <-deadline.C:
			i.due(ctx)
		case <-ticker.C:
			ticker.ticked()
			round.finish(ctx, i.pending)
			round = i.round()
		case <-round.spare(i.o.Kernel.Records()):
			round.step(ctx)
		}
	}
	return nil
}

// untilDue returns the time until the next flow is due, at least a millisecond: a
// flow that cannot be read may stay due.
func (i *Inspector) untilDue() time.Duration {
	next := i.o.Ledger.Next()
	if next.IsZero() {
		return time.Hour
	}
	return max(time.Until(next), time.Millisecond)
}

// pending takes the records that wait and the flows that are due, if there are any.
// It does not wait for them.
func (i *Inspector) pending(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	select {
	case r := <-i.o.Kernel.Records():
		i.phases.turn(ctx, collected{records: i.collector.records(ctx, r)}, nil)
	default:
	}
	if next := i.o.Ledger.Next(); !next.IsZero() && !next.After(time.Now()) {
		i.due(ctx)
	}
}

// due judges the flows whose time has come. It first reads each flow whose last reading is
// not from a moment ago (justRead). If a suspect has no known owner and the budget allows a
// file scan, due scans before that, and then reads all of these flows.
func (i *Inspector) due(ctx context.Context) {
	due := i.o.Ledger.Due(time.Now())
	if len(due) == 0 || ctx.Err() != nil {
		return
	}
	scanned := slices.ContainsFunc(due, lacksOwner) && i.collector.mayScan()
	if scanned {
		i.scan(ctx)
	}
	old := make([]flow.ID, 0, len(due))
	for _, e := range due {
		if scanned || time.Since(e.ReadAt()) >= justRead {
			old = append(old, e.ID())
		}
	}
	got := collected{}
	if len(old) > 0 {
		got = i.collector.look(ctx, old)
	}
	i.phases.turn(ctx, got, asked(due, isDue))
}

// lacksOwner reports whether the flow is a suspect, and no file scan has found its owner.
func lacksOwner(e *ledger.Entry) bool {
	if e.Life() != ledger.Suspect {
		return false
	}
	s := e.Socket()
	return !s.Orphan && s.PID == 0
}

// scan makes a file scan: it names the owners of held flows, and finds idle flows
// that point at a backend that is gone.
func (i *Inspector) scan(ctx context.Context) {
	i.departed.Give()
	got := i.collector.scan()
	i.asker.Scanned()
	if i.o.Ledger.Len() > 0 {
		i.asker.LearnPlaces()
	}
	i.phases.turn(ctx, got, nil)
}
