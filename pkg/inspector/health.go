package inspector

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// checkHealth refreshes the health of the sources, publishes what changed, and
// reports whether the cluster's trustworthiness turned: its source went or
// came back, or was gone for so long that nothing follows from the records.
// That sources go because the agent ends is no news.
func (i *Inspector) checkHealth(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	now := time.Now()
	all := []flow.Health{i.kernelHealth(), i.conntrackHealth(), i.o.Cluster.Health(now)}
	if i.o.Owners != nil {
		all = append(all, i.ownerHealth(now))
	}
	if i.o.Beside != nil {
		all = append(all, i.o.Beside()...)
	}
	outOfDate := i.o.Cluster.OutOfDate(now)
	turned := outOfDate != i.outOfDate
	i.outOfDate = outOfDate
	for _, h := range all {
		was, known := i.up[h.Source]
		i.up[h.Source] = h.Up
		if was == h.Up && known {
			continue
		}
		turned = turned || h.Source == flow.SourceCluster
		switch {
		case !h.Up:
			i.o.Log.Warn("a source is degraded", "source", h.Source, "reason", h.Detail)
			i.publish(flow.Event{Type: flow.EventDegraded, Time: now, Source: string(h.Source), Reason: h.Detail})
		case known:
			i.o.Log.Info("a source is restored", "source", h.Source)
			i.publish(flow.Event{Type: flow.EventRestored, Time: now, Source: string(h.Source), Reason: h.Detail})
		}
	}
	i.store.setHealth(all)
	return turned
}

func (i *Inspector) kernelHealth() flow.Health {
	h := flow.Health{Source: flow.SourceKernel, Up: i.kernelErr == nil, LastSync: i.kernelAt}
	if i.pace.slowed() {
		h.Detail = fmt.Sprintf("all sockets are looked at every %v only, to hold --sweep-cpu", i.pace.every.Round(time.Second))
	}
	if i.kernelErr != nil {
		h.Detail = i.kernelErr.Error()
	}
	return h
}

// conntrackHealth: no lookup is made while nothing is under suspicion, so an
// open table without an error counts as up.
func (i *Inspector) conntrackHealth() flow.Health {
	h := flow.Health{Source: flow.SourceConntrack, LastSync: i.conntrackAt}
	switch {
	case i.o.Conntrack == nil:
		h.Detail = i.o.ConntrackDown
	case i.conntrackErr != nil:
		h.Detail = i.conntrackErr.Error()
	default:
		h.Up = true
	}
	return h
}
