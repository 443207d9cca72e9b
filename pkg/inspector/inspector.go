package inspector

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

const (
	tick        = time.Second
	readShare   = 0.0004           // of a core that reading flows again may take
	rereads     = 300              // flows that are read again at once: the loop must not wait long
	judgeShare  = 0.0003           // of a core that judging again may take
	judgments   = 300              // flows that are judged again at once
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

	listeners map[listenKey]bool
	routes    map[netip.Addr]routeAnswer

	gone       gonePeers
	translates bool                // nf_conntrack was seen to translate a Service here
	entryless  map[netip.Addr]bool // Services that had no conntrack entry in this round

	sweeps, readings, searches, removals, judging *budget

	sweptAt  time.Time
	pace     pace
	soughtAt time.Time // when a translation was last looked for
	seeking  pace
	owners   map[uint32]ownerAnswer

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
		listeners: map[listenKey]bool{}, routes: map[netip.Addr]routeAnswer{},
		sweeps: newBudget(o.SweepCPU, now), readings: newBudget(readShare, now),
		searches: newBudget(searchShare, now), removals: newBudget(searchShare, now), judging: newBudget(judgeShare, now),
		owners: map[uint32]ownerAnswer{}, gone: gonePeers{peers: map[netip.Addr]gonePeer{}, unsure: map[netip.Addr]struct{}{}},
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

// take handles a record and those that wait behind it.
func (i *Inspector) take(ctx context.Context, r tracer.Record) {
	var suspects []flow.ID
	i.record(ctx, r, &suspects)
	i.drain(ctx, &suspects)
	i.examine(ctx, suspects)
}

// drain handles the records that wait, a batch at most.
func (i *Inspector) drain(ctx context.Context, suspects *[]flow.ID) {
	for range batch {
		if ctx.Err() != nil {
			return
		}
		select {
		case r := <-i.o.Kernel.Records():
			i.record(ctx, r, suspects)
		default:
			return
		}
	}
}

func (i *Inspector) record(ctx context.Context, r tracer.Record, suspects *[]flow.ID) {
	if r.End != nil {
		i.end(ctx, *r.End, suspects)
	}
	if r.Suspect != nil {
		i.apply(ctx, i.monitor.Observe(*r.Suspect), suspects)
	}
}

// apply carries the monitor's changes into the files; new suspects are
// collected.
func (i *Inspector) apply(ctx context.Context, changes []monitor.Change, suspects *[]flow.ID) {
	for _, c := range changes {
		if ctx.Err() != nil {
			return
		}
		switch c.Kind {
		case monitor.Suspected:
			i.files[c.Socket.ID] = &file{evidence: diagnosis.Evidence{Socket: c.Socket}}
			*suspects = append(*suspects, c.Socket.ID)
		case monitor.Updated:
			if i.refresh(c.Socket) {
				i.spoke(ctx, c.Socket.ID, suspects)
			}
		case monitor.Recovered, monitor.Ended, monitor.Vanished:
			i.finish(ctx, c)
		}
	}
}

// refresh takes a new reading into a flow's file. It reports whether an idle
// flow was written to meanwhile, and timed out.
func (i *Inspector) refresh(s flow.Socket) bool {
	f := i.files[s.ID]
	spoke := f.evidence.Socket.Timeouts == 0 && s.Timeouts > 0
	if s.PID == 0 {
		s.PID, s.Comm, s.FD = f.evidence.Socket.PID, f.evidence.Socket.Comm, f.evidence.Socket.FD
	}
	f.evidence.Socket = s
	if f.stuck {
		i.store.put(*f)
	}
	return spoke
}

// spoke judges at once an idle flow that has had its first timeout: who was
// only at risk is stuck from now on.
func (i *Inspector) spoke(ctx context.Context, id flow.ID, suspects *[]flow.ID) {
	f := i.files[id]
	if !f.stuck {
		*suspects = append(*suspects, id)
		return
	}
	before := f.decision
	f.evidence = i.gather(ctx, f.evidence.Socket, f.evidence, 0)
	f.decision = diagnosis.Decide(f.evidence)
	i.revise(f, before)
}

// examine looks at new suspects, and reports at once those whose backend is
// gone.
func (i *Inspector) examine(ctx context.Context, suspects []flow.ID) {
	var gone []flow.ID
	for _, id := range suspects {
		if ctx.Err() != nil {
			return
		}
		f := i.files[id]
		if f == nil {
			continue
		}
		f.evidence = i.gather(ctx, f.evidence.Socket, f.evidence, 0)
		f.decision = diagnosis.Decide(f.evidence)
		if reportAtOnce(f.decision) {
			gone = append(gone, id)
		}
	}
	i.confirm(ctx, gone)
}

// reportAtOnce: a flow whose backend is gone need not wait, unless it is only
// counted anyway.
func reportAtOnce(d diagnosis.Decision) bool {
	return d.AtOnce && (d.Mute == "" || d.Mute == flow.MuteAtRisk)
}

// due reports the flows that made no progress for stuck-after.
func (i *Inspector) due(ctx context.Context) {
	changes := i.monitor.Tick(time.Now())
	ids := make([]flow.ID, len(changes))
	for n, c := range changes {
		ids[n] = c.Socket.ID
	}
	i.confirm(ctx, ids)
}

// confirm looks at the sockets once more, with their owners, and reports those
// that are still stuck.
func (i *Inspector) confirm(ctx context.Context, ids []flow.ID) {
	if len(ids) == 0 || ctx.Err() != nil {
		return
	}
	if i.sweeps.allows(time.Now()) {
		i.sweep()
	}
	found := i.lookAt(ctx, ids)
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		s, stuck, ok := i.monitor.Socket(id)
		if !ok || stuck {
			continue
		}
		f := i.files[id]
		f.evidence = i.gather(ctx, s, f.evidence, tick)
		i.deepen(ctx, &f.evidence)
		if ctx.Err() != nil {
			return // not everything was asked
		}
		f.decision = diagnosis.Decide(f.evidence)
		switch {
		case f.decision.Healthy:
			i.monitor.Postpone(id, f.evidence.Now.Add(healthyFor))
		case reportAtOnce(f.decision), f.evidence.Now.Sub(s.Since) >= i.o.StuckAfter:
			i.report(f)
		}
	}
	i.examine(ctx, found)
}

// sweep makes a pass over all sockets of all processes.
func (i *Inspector) sweep() {
	i.tellGone()
	began := time.Now()
	listeners, err := i.o.Kernel.Sweep()
	took := time.Since(began)
	i.sweeps.spend(took, time.Now())
	i.o.Meter.Sweep("sockets", took)
	i.sweptAt = began
	if slowed, ok := i.pace.took(took, i.o.SweepCPU); ok {
		i.o.Log.Warn("passes over all sockets are held to their share of a core", "took", took, "every", slowed, "share", i.o.SweepCPU)
	}
	i.sawKernel(err)
	if err == nil {
		i.setListeners(listeners)
	}
}

// snapshot reads all suspects and returns those that were not known. A read
// that failed is no snapshot: what it lacks means nothing. The records that
// wait come first: a busy machine may take seconds between two looks at them,
// and an end that is known is no absence.
func (i *Inspector) snapshot(ctx context.Context) []flow.ID {
	var suspects []flow.ID
	i.drain(ctx, &suspects)
	began := time.Now()
	sockets, err := i.o.Kernel.Snapshot()
	took := time.Since(began)
	i.o.Meter.Sweep("snapshot", took)
	i.sawKernel(err)
	if err != nil {
		for _, s := range sockets {
			i.apply(ctx, i.monitor.Observe(s), &suspects)
		}
		return suspects
	}
	i.apply(ctx, i.monitor.Snapshot(sockets, began), &suspects)
	return suspects
}

// fewNamed is how many suspects are worth being named: to read more of them,
// a snapshot is as cheap.
const fewNamed = 1000

// lookAt reads these suspects and whatever is new, and returns those that were
// not known.
func (i *Inspector) lookAt(ctx context.Context, ids []flow.ID) []flow.ID {
	if len(ids) > fewNamed {
		return i.snapshot(ctx)
	}
	var suspects []flow.ID
	i.drain(ctx, &suspects)
	began := time.Now()
	sockets, err := i.o.Kernel.News(ids)
	i.sawKernel(err)
	if err != nil {
		ids = nil // what it lacks means nothing
	}
	i.apply(ctx, i.monitor.Reread(ids, sockets, began), &suspects)
	return suspects
}

// readAgain reads what is new and the known flows, one part after the other.
func (i *Inspector) readAgain(ctx context.Context) []flow.ID {
	began := time.Now()
	defer func() { i.readings.spend(time.Since(began), time.Now()) }()
	return i.lookAt(ctx, i.monitor.Stalest(rereads))
}

func (i *Inspector) sawKernel(err error) {
	if err != nil && i.kernelErr == nil {
		i.o.Log.Error("the kernel side cannot be read", "error", err)
	}
	i.kernelErr = err
	if err == nil {
		i.kernelAt = time.Now()
	}
}

func split(namespacedName string) (namespace, name string) {
	namespace, name, _ = strings.Cut(namespacedName, "/")
	return namespace, name
}
