package inspector

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

const refreshes = 50 // conntrack entries looked up again in one turn

// known is a flow on its way through the phases.
type known struct {
	task
	entry    *ledger.Entry
	evidence diagnosis.Evidence
}

// gather asks the sources about flows, as much as each task is worth.
func (p *phases) gather(ctx context.Context, all []*known) {
	now := time.Now()
	var fresh, recent, current, aged []*known
	most := refreshes
	if p.asker.ConntrackFails() {
		most = 1 // each question may take the whole patience
	}
	for _, k := range all {
		switch {
		case k.why == isSuspected, k.why == isUnanswered, k.dying():
			fresh = append(fresh, k)
		case k.why == isDue && k.entry.Life() == ledger.Suspect, k.why == isLost:
			recent = append(recent, k)
		case k.why == isMoved:
			current = append(current, k)
		case k.why == isAged && p.mayAsk(k, now) && len(aged) < most:
			aged = append(aged, k)
		default:
			k.evidence.Now = now
		}
	}
	p.ask(ctx, fresh, 0)
	p.ask(ctx, recent, tick)
	p.ask(ctx, current, p.conntrackAge)
	if len(aged) > 0 {
		p.asking.Run(func() { p.ask(ctx, aged, 0) })
	}
	for _, k := range all {
		if ctx.Err() != nil {
			return
		}
		p.deepen(ctx, k)
		if k.why == isOver {
			p.asker.Over(k.id)
		}
	}
}

func (p *phases) ask(ctx context.Context, some []*known, maxAge time.Duration) {
	if len(some) == 0 {
		return
	}
	evidence := make([]*diagnosis.Evidence, len(some))
	for n, k := range some {
		evidence[n] = &k.evidence
	}
	p.asker.Gather(ctx, evidence, maxAge)
}

// mayAsk reports whether conntrack may be asked again about a flow whose entry
// has aged. A question costs far more than a judgement, and has a budget of its
// own, so that verdicts that the clock turns do not wait for it.
func (p *phases) mayAsk(k *known, now time.Time) bool {
	c := k.evidence.Conntrack
	return k.entry.Life() == ledger.Stuck && now.Sub(c.At) >= p.conntrackAge && !c.Unanswered && p.asking.Allows(now)
}

// dying reports whether a suspect died in the turn that brought its first record:
// the sources were not asked about it yet.
func (k *known) dying() bool {
	return k.why == isOver && k.change.Kind == ledger.Ended && k.entry.Decision().Cause == ""
}

// deepen asks what only a flow that is about to be reported is worth, and for a
// reported flow what is still open.
func (p *phases) deepen(ctx context.Context, k *known) {
	switch {
	case k.why == isDue && k.entry.Life() == ledger.Suspect:
		p.asker.Deepen(ctx, &k.evidence)
		k.evidence.Upstream = p.upstreams.of(k.evidence)
	case k.why == isAged && k.entry.Life() == ledger.Stuck, k.why == isUnanswered:
		p.asker.AskZones(ctx, &k.evidence)
		p.refreshRoute(ctx, k)
	}
}

// routeLasts is how long the answer about a reported flow's route stands: a next hop that does
// not answer fails half a minute later.
const routeLasts = 15 * time.Second

// refreshRoute shares the budget of the questions for aged entries.
func (p *phases) refreshRoute(ctx context.Context, k *known) {
	now := time.Now()
	if now.Sub(k.evidence.RouteAt) >= routeLasts && p.asking.Allows(now) {
		p.asking.Run(func() { p.asker.AskRoute(ctx, &k.evidence) })
	}
}
