package inspector

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

type logger = *slog.Logger

// sources knows which sources were up, and whether the cluster's records were
// trusted.
type sources struct {
	up        map[flow.Source]bool
	outOfDate bool // the cluster's records
}

// checkHealth refreshes the health of the sources, publishes what changed, and
// reports whether trust in the cluster's records turned: their source went or
// came back, or was gone for so long that nothing follows from the records. A
// source that goes because the agent ends is not reported.
func (i *Inspector) checkHealth(ctx context.Context) (turned bool) {
	if ctx.Err() != nil {
		return false
	}
	now := time.Now()
	all := append([]flow.Health{i.kernelHealth(now)}, i.asker.Health(now)...)
	if i.o.Beside != nil {
		all = append(all, i.o.Beside()...)
	}
	outOfDate := i.o.Cluster.OutOfDate(now)
	turned = outOfDate != i.sources.outOfDate
	i.sources.outOfDate = outOfDate
	for _, h := range all {
		was, known := i.sources.up[h.Source]
		i.sources.up[h.Source] = h.Up
		if was == h.Up && known {
			continue
		}
		turned = turned || h.Source == flow.SourceCluster
		switch {
		case !h.Up:
			i.o.Log.Warn("a source is degraded", "source", h.Source, "reason", h.Detail)
			i.phases.reporter.publish(flow.Event{Type: flow.EventDegraded, Time: now, Source: string(h.Source), Reason: h.Detail})
		case known:
			i.o.Log.Info("a source is restored", "source", h.Source)
			i.phases.reporter.publish(flow.Event{Type: flow.EventRestored, Time: now, Source: string(h.Source), Reason: h.Detail})
		}
	}
	i.o.Ledger.View().SetHealth(all)
	return turned
}

// kernelHealth returns the health of the kernel source. It is degraded while flows that
// found no room are not watched, here or on the kernel side.
func (i *Inspector) kernelHealth(now time.Time) flow.Health {
	c := i.collector
	h := flow.Health{Source: flow.SourceKernel, Up: true, LastSync: c.at}
	if c.pace.Slowed() {
		h.Detail = fmt.Sprintf("all sockets are scanned only every %s, to hold --sweep-cpu", phrase.Duration(c.pace.Every()))
	}
	switch refused, most, short := i.o.Ledger.Short(now); {
	case c.err != nil:
		h.Up, h.Detail = false, c.err.Error()
	case i.placesErr() != nil:
		h.Up, h.Detail = false, i.placesErr().Error()
	case short:
		h.Up, h.Detail = false, fmt.Sprintf("not all flows are watched: %s a flow found no room among the %s of --max-flows",
			phrase.Count(int(refused), "time", "times"), phrase.Number(most))
	case now.Sub(c.unwatched) < unwatchedFor:
		h.Up, h.Detail = false, fmt.Sprintf("not all flows are watched: %s a socket found no place. "+
			"Its options leave no room for storage (net.core.optmem_max), and the places for such sockets are shared", phrase.Count(int(c.signs.Unwatched), "time", "times"))
	}
	return h
}

// unwatchedFor is how long the source stays degraded after the kernel side left out a
// suspect. Each file scan counts such a suspect again.
const unwatchedFor = time.Minute

func (i *Inspector) placesErr() error { return i.asker.PlacesErr() }
