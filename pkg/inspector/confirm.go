package inspector

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

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
		i.sweep(ctx)
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
		if s.Resuming() {
			i.monitor.Postpone(id, time.Now().Add(tick))
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
