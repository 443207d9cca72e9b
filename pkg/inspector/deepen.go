package inspector

import (
	"context"
	"errors"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const probedServices = 3 // Services whose entries are looked for in one slow round

// deepen asks what only a flow that is about to be reported is worth: the
// other zones where conntrack has no entry, the route from this node, and the
// stuck flow that a proxy in the same pod waits for.
func (i *Inspector) deepen(ctx context.Context, e *diagnosis.Evidence) {
	i.askZones(ctx, e)
	i.askTranslation(ctx, e)
	i.askRoute(ctx, e)
	i.askUpstream(e)
}

// zonesOpen reports whether a flow has no entry in the default zone, and the
// other zones were not asked yet.
func (i *Inspector) zonesOpen(e diagnosis.Evidence) bool {
	return i.o.Conntrack != nil && e.Conntrack.Missing && !e.Conntrack.Zones && e.Peer.Class == flow.PeerService
}

// askZones searches the whole table, within its budget: what could not be
// asked is asked in a later round. Many flows to one Service lose their entries
// at once; where the Service has none at all, one search answers for all.
func (i *Inspector) askZones(ctx context.Context, e *diagnosis.Evidence) {
	if !i.zonesOpen(*e) {
		return
	}
	c, service := &e.Conntrack, e.Socket.Remote.Addr()
	if i.entryless[service] {
		c.Zones = true
		return
	}
	if !i.searches.allows(e.Now) {
		return
	}
	ctx, cancel := lookup(ctx, searchPatience)
	defer cancel()
	began := time.Now()
	translates, err := i.o.Conntrack.Translates(ctx, service)
	var entries []flow.Translation
	switch {
	case err == nil && translates:
		entries, err = i.o.Conntrack.Search(ctx, e.Socket.Tuple())
	case err == nil:
		i.entryless[service], err = true, conntrack.ErrNotFound
	}
	took := time.Since(began)
	i.searches.spend(took, time.Now())
	i.o.Meter.Sweep("conntrack", took)
	if errors.Is(err, conntrack.ErrNotFound) {
		c.Zones = true
		return
	}
	if err != nil {
		return // what is missing in the default zone stays all that is known
	}
	c.Missing, c.Entry = false, &entries[0]
	i.askCluster(e)
}

// askUpstream looks for what a reader that stopped reading may itself wait
// for: a stuck connection of another process in the same network namespace.
func (i *Inspector) askUpstream(e *diagnosis.Evidence) {
	e.Upstream = nil
	if diagnosis.Symptom(e.Socket) != flow.ZeroWindow {
		return
	}
	var worst *file
	for _, f := range i.files {
		s := f.evidence.Socket
		if s.NetNS != e.Socket.NetNS || s.ID == e.Socket.ID || f.evidence.Local.PID == e.Local.PID || f.evidence.Role != flow.Client {
			continue
		}
		if diagnosis.Symptom(s) == flow.ZeroWindow {
			continue // another victim
		}
		if worst == nil || s.Since.Before(worst.evidence.Socket.Since) {
			worst = f
		}
	}
	if worst != nil {
		u := diagnosis.UpstreamOf(worst.evidence)
		e.Upstream = &u
	}
}

// askTranslation looks at once where a verdict hangs on it.
func (i *Inspector) askTranslation(ctx context.Context, e *diagnosis.Evidence) {
	if i.translates || !e.Conntrack.Missing || e.Peer.Class != flow.PeerService {
		return
	}
	i.soughtAt = time.Time{}
	i.seekTranslation(ctx)
	e.Translates = i.translates
}

// seekTranslation finds out, once, whether this node's nf_conntrack
// translates Services at all: a few of them are asked for in each slow round.
func (i *Inspector) seekTranslation(ctx context.Context) {
	now := time.Now()
	if i.translates || i.o.Conntrack == nil || now.Sub(i.soughtAt) < i.seeking.every {
		return
	}
	i.soughtAt = now
	defer func() { i.seeking.took(time.Since(now), seekShare) }()
	search, cancel := lookup(ctx, searchPatience)
	defer cancel()
	for _, ip := range i.o.Cluster.ClusterIPs(probedServices) {
		if ctx.Err() != nil || !i.searches.allows(time.Now()) {
			return
		}
		began := time.Now()
		found, err := i.o.Conntrack.Translates(search, ip)
		i.searches.spend(time.Since(began), time.Now())
		if err != nil {
			return
		}
		if found {
			i.translates = true
			return
		}
	}
}
