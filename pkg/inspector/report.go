package inspector

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// report keeps and publishes what was decided. It drops the decision on a flow
// that had to make room since.
func (p *phases) report(v verdict) {
	if v.entry == nil {
		return
	}
	l, id := p.ledger, v.entry.ID()
	switch {
	case v.forget:
		l.Forget(id)
	case v.entry.Life() != ledger.Over && l.Entry(id) == nil:
		return
	}
	l.Put(v.entry)
	if !v.postpone.IsZero() {
		l.Postpone(id, v.postpone)
	}
	if !v.await.IsZero() {
		l.Await(id, v.await)
	}
	for _, s := range v.said {
		p.reporter.report(s.kind, s.entry)
	}
}

// reporter makes events.
type reporter struct {
	node, bootID string
	sinks        []Sink
}

// report publishes what happened to a flow. If the flow is suppressed, only its
// history has it.
func (r reporter) report(kind flow.EventType, e *ledger.Entry) {
	if suppressed := e.Decision().Suppressed; suppressed != "" && kind != flow.EventAtRisk {
		return
	}
	now := time.Now()
	finding := e.Finding(r.node, r.bootID, now)
	r.publish(flow.Event{Type: kind, Time: now, Flow: &finding})
}

func (r reporter) publish(e flow.Event) {
	for _, s := range r.sinks {
		s.Publish(e)
	}
}
