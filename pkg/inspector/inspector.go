package inspector

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
)

const (
	tick        = time.Second
	readShare   = 0.0004           // of a core that reading flows again may take
	rereads     = 300              // flows that are read again at once: the loop must not wait long
	judgeShare  = 0.0003           // of a core that judging again may take
	judgments   = 300              // flows that are judged again at once
	judgesAgain = 5 * time.Second  // after that at the latest, whatever the last time seems to have taken
	askShare    = 0.0003           // of a core that asking again for entries that have aged may take
	seekShare   = 0.0005           // of a core that looking for a translation may take
	searchShare = 0.01             // of a core that searches of the whole conntrack table may take, for verdicts and for removals each
	healthyFor  = 10 * time.Second // until an idle flow that is not stuck is looked at again
	refreshes   = 50               // conntrack entries asked for again in one tick
	batch       = 4096             // records taken at once
)

// Inspector owns the monitor and the store; all its work happens in Run.
type Inspector struct {
	o       Options
	monitor *monitor.Monitor
	store   *Store
	files   map[flow.ID]*file

	routes map[netip.Addr]routeAnswer

	gone       gonePeers
	translates bool                // nf_conntrack was seen to translate a Service here
	entryless  map[netip.Addr]bool // Services that had no conntrack entry in this round

	sweeps, readings, searches, removals, judging, asking *budget

	sweptAt  time.Time
	pace     pace
	soughtAt time.Time // when a translation was last looked for
	seeking  pace
	owners   map[flow.Process]ownerAnswer
	sought   map[uint32]bool // network namespaces that were looked for since the last sweep
	hiddenAt time.Time       // when /proc last did not show a living process
	ownersAt time.Time       // when it last showed all

	lost, refused uint64

	unanswered   map[flow.ID]bool // flows of which conntrack could not be asked
	conntrackErr error
	conntrackAt  time.Time
	kernelErr    error
	kernelAt     time.Time
	up           map[flow.Source]bool
	outOfDate    bool // the cluster's records
}

// New returns an inspector that has not looked at anything yet.
func New(o Options) *Inspector {
	o = o.withDefaults()
	now := time.Now()
	return &Inspector{
		o: o, monitor: monitor.New(o.StuckAfter, o.MaxFlows), store: o.Store, files: map[flow.ID]*file{},
		routes: map[netip.Addr]routeAnswer{},
		sweeps: newBudget(o.SweepCPU, now), readings: newBudget(readShare, now),
		searches: newBudget(searchShare, now), removals: newBudget(searchShare, now),
		judging: newBudget(judgeShare, now).owing(judgesAgain), asking: newBudget(askShare, now),
		owners: map[flow.Process]ownerAnswer{}, sought: map[uint32]bool{}, gone: gonePeers{peers: map[netip.Addr]gonePeer{}, unsure: map[netip.Addr]struct{}{}},
		unanswered: map[flow.ID]bool{}, up: map[flow.Source]bool{}, entryless: map[netip.Addr]bool{},
	}
}

// Run works until the context ends. It first looks for what was stuck before
// it came; ready is called once that is done. When the context ends, a pass
// over many flows stops before its next flow, and nothing more is told.
func (i *Inspector) Run(ctx context.Context, ready func()) error {
	i.sweep()
	i.seekTranslation(ctx)
	i.examine(ctx, i.snapshot(ctx))
	i.due(ctx)
	i.checkHealth(ctx)
	if ctx.Err() != nil {
		return nil
	}
	i.store.setSuspects(i.monitor.Suspects())
	ready()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	deadline := time.NewTimer(time.Hour)
	defer deadline.Stop()
	var round round
	for ctx.Err() == nil {
		deadline.Reset(i.untilDue())
		select {
		case <-ctx.Done():
		case r := <-i.o.Kernel.Records():
			i.take(ctx, r)
		case <-i.o.Cluster.Changed():
			round.first(i.clusterChanged(ctx, i.o.Cluster.TakeChanged()))
		case <-deadline.C:
			i.due(ctx)
		case <-ticker.C:
			round.finish(ctx, i.news)
			round = i.round()
		case <-round.spare(i.o.Kernel.Records()):
			round.step(ctx)
		}
		i.store.setSuspects(i.monitor.Suspects())
	}
	return nil
}

func (i *Inspector) untilDue() time.Duration {
	next := i.monitor.Next()
	if next.IsZero() {
		return time.Hour
	}
	return max(time.Until(next), minDeadline)
}

// minDeadline keeps a flow that is due and cannot be confirmed (no snapshot
// showed it yet) from turning the loop into a spin.
const minDeadline = time.Millisecond

// news takes the records that wait, and the flows that are due, if there are
// any: it does not wait for them.
func (i *Inspector) news(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	select {
	case r := <-i.o.Kernel.Records():
		i.take(ctx, r)
	default:
	}
	if i.untilDue() == minDeadline {
		i.due(ctx)
	}
	i.store.setSuspects(i.monitor.Suspects())
}
