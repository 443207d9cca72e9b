package evidence

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Asker asks the sources. It is for one goroutine.
type Asker struct {
	o         Options
	names     Names
	processes *processes // nil: not asked
	table     table
	zones     zones
	routes    routes
	dropped   dropped
	sought    map[uint32]bool // network namespaces looked for since the last file scan
	placesErr error
}

// New returns an Asker that has asked nothing yet.
func New(o Options) *Asker {
	a := &Asker{
		o: o, names: o.Names, table: table{conntrack: o.Conntrack, down: o.ConntrackDown, meter: o.Meter},
		zones:  zones{conntrack: o.Conntrack, meter: o.Meter, searches: o.Searches, entryless: map[netip.Addr]bool{}},
		routes: routes{routes: o.Routes, meter: o.Meter, answers: map[way]routeAnswer{}}, dropped: dropped{drops: o.Drops}, sought: map[uint32]bool{},
	}
	if owners := o.Names.Owners; owners != nil {
		a.processes = &processes{Owners: owners, meter: o.Meter, answers: map[flow.Process]ownerAnswer{}}
		a.names.Owners = a.processes
	}
	return a
}

// Gather asks every cheap source about some flows. It completes what is known of
// them, with their last readings. A conntrack answer younger than maxAge stands.
// Once the context ends, Gather leaves what is known as it is.
func (a *Asker) Gather(ctx context.Context, known []*diagnosis.Evidence, maxAge time.Duration) {
	now := time.Now()
	stale := func(e *diagnosis.Evidence) bool { return e.Conntrack.At.IsZero() || now.Sub(e.Conntrack.At) >= maxAge }
	var tuples []flow.Tuple
	for _, e := range known {
		if stale(e) {
			tuples = append(tuples, e.Socket.Tuple())
		}
	}
	answers := a.table.lookups(ctx, tuples)
	if ctx.Err() != nil {
		return
	}
	for _, e := range known {
		e.Now, e.StuckAfter = now, a.o.StuckAfter
		if stale(e) {
			e.Conntrack = a.table.take(answers[0], e.Conntrack, now, a.o.ConntrackAge)
			answers = answers[1:]
			e.Conntrack.Replied = a.table.replied(e.Conntrack, &e.Socket, now)
			a.learnTranslates(e)
		}
		a.complete(e)
		a.dropped.watch(e)
	}
}

// complete adds what follows without a question to the kernel's tables.
func (a *Asker) complete(e *diagnosis.Evidence) {
	s := e.Socket
	e.Host, e.Translates = s.NetNS == a.names.HostNetNS, a.zones.translates
	e.Role = role(s, e.Conntrack.Entry, a.o.Listening, e.Role)
	a.askCluster(e)
	a.askOwner(e)
}

// learnTranslates learns from a flow that this node's nf_conntrack translates
// Services.
func (a *Asker) learnTranslates(e *diagnosis.Evidence) {
	t := e.Conntrack.Entry
	if t != nil && t.Translated() && !t.Accepted() && a.names.Cluster.Class(e.Socket.Remote) == flow.PeerService {
		a.zones.translates = true
	}
}

// askCluster adds what the cluster knows: the backend and the peer.
func (a *Asker) askCluster(e *diagnosis.Evidence) {
	e.Cluster = a.names.Cluster.Health(e.Now)
	a.askBackend(e)
	e.Peer, e.Service = a.names.Peer(e.Socket, e.Role, e.Target())
	e.Transient = e.Role == flow.Server && e.Peer.Class == flow.PeerExternal && a.names.Cluster.ComesAndGoes(e.Target().Addr())
	if e.Service != nil && e.Service.Kind == cluster.ExternalIP && e.Untranslated() {
		e.Peer, e.Service = a.names.Host(e.Peer), nil
	}
	if e.Role == flow.Client && e.Service == nil {
		e.Peer.Namespace, e.Peer.Service = listedBy(e.Backend)
	}
}

// askBackend adds what the records say of the address that a flow's packets go
// to. They describe this node's network: a socket in another namespace may use
// the same address for another host.
func (a *Asker) askBackend(e *diagnosis.Evidence) {
	e.Related = e.Related || a.related(*e)
	if !e.Related {
		e.Backend = cluster.Backend{
			Addr: e.Target(), State: flow.BackendUnknown,
			How: "its socket is in a network namespace that is neither the host's nor a pod's, and conntrack has no entry for it: the records do not speak of the addresses there",
		}
		return
	}
	b := a.names.Cluster.BackendVia(e.Target(), e.Via(), e.Now)
	if b.Unread && e.Backend.State == flow.BackendDeleted && e.Backend.Addr == b.Addr {
		return // a question is open about the pod that has the address since: what was known stands
	}
	e.Backend = b
}

// related reports whether the addresses of a socket are this node's: the socket is
// in the host's namespace, it has the address of a pod of this node, or conntrack,
// which sees what leaves a pod, has this very connection.
func (a *Asker) related(e diagnosis.Evidence) bool {
	if e.Host || e.Conntrack.Entry != nil {
		return true
	}
	pod, ok := a.names.Cluster.PodByIP(e.Socket.Local.Addr())
	return ok && (pod.Node == a.o.Node || !a.names.Cluster.KnowsNode(a.o.Node))
}

// askOwner adds whose socket it is: its process, and its pod. It looks for an
// unknown network namespace only once between two file scans, because perhaps no
// process lives there any more.
func (a *Asker) askOwner(e *diagnosis.Evidence) {
	netns := e.Socket.NetNS
	if e.PodUID == "" && !a.names.Places.Knows(netns) && !a.sought[netns] {
		a.sought[netns] = true
		a.LearnPlaces()
	}
	owned := a.names.Whose(e.Socket, Owned{e.Local, e.PodUID, e.User})
	e.Local, e.PodUID, e.User = owned.Local, owned.ProvenUID, owned.User
}

// LearnPlaces finds out which network namespaces belong to pods, within the
// budget of the file scans.
func (a *Asker) LearnPlaces() {
	now := time.Now()
	if a.o.Scans.Allows(now) {
		a.o.Scans.Run(func() { a.placesErr = a.names.Places.Refresh(now) })
	}
}

// PlacesErr returns the error of the last look for the network namespaces of
// pods.
func (a *Asker) PlacesErr() error { return a.placesErr }

// Deepen asks what only a flow that is about to be reported is worth: the other
// zones if conntrack has no entry, and the route from this node.
func (a *Asker) Deepen(ctx context.Context, e *diagnosis.Evidence) {
	a.AskZones(ctx, e)
	a.askTranslation(ctx, e)
	a.routes.ask(ctx, e)
	a.dropped.ask(e)
	a.askListener(e)
}

// AskRoute asks again for the route of a flow, and for what was dropped of it: the next hop may
// have failed since.
func (a *Asker) AskRoute(ctx context.Context, e *diagnosis.Evidence) {
	a.routes.ask(ctx, e)
	a.dropped.ask(e)
}

// Over notes that a flow is over: its drops are watched no more.
func (a *Asker) Over(id flow.ID) { a.dropped.forget(id) }

// AskZones looks for a flow's entry in the other zones, if they were not asked.
func (a *Asker) AskZones(ctx context.Context, e *diagnosis.Evidence) {
	if a.zones.ask(ctx, e) {
		a.askCluster(e)
	}
}

// askTranslation looks at once if a verdict depends on it.
func (a *Asker) askTranslation(ctx context.Context, e *diagnosis.Evidence) {
	if a.zones.translates || !e.Conntrack.Missing || e.Peer.Class != flow.PeerService {
		return
	}
	a.zones.soughtAt = time.Time{}
	a.SeekTranslation(ctx)
	e.Translates = a.zones.translates
}

// SeekTranslation finds out, once, whether this node's nf_conntrack translates
// Services at all.
func (a *Asker) SeekTranslation(ctx context.Context) {
	if !a.zones.translates {
		a.zones.seek(ctx, a.names.Cluster.ClusterIPs(probedServices))
	}
}

// NewRound forgets what was found in the last round of regular work.
func (a *Asker) NewRound() { clear(a.zones.entryless) }

// Scanned notes a file scan: unknown network namespaces may be looked for again.
func (a *Asker) Scanned() { clear(a.sought) }

// Unanswered reports whether conntrack had no answer about some flow and was not
// asked again since. The evidence of such a flow is Unanswered.
func (a *Asker) Unanswered() bool { return a.table.owes }

// Answered notes that no flow is left without an answer of conntrack.
func (a *Asker) Answered() { a.table.owes = false }

// ConntrackFails reports whether the last question had no answer.
func (a *Asker) ConntrackFails() bool { return a.table.err != nil }

// Health returns the health of conntrack, of the cluster's records and, if they
// are asked, of the owners.
func (a *Asker) Health(now time.Time) []flow.Health {
	all := []flow.Health{a.table.health(), a.names.Cluster.Health(now)}
	if a.processes != nil {
		all = append(all, a.processes.health(now))
	}
	return all
}
