package inspector

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// keep keeps what was decided, and returns what is to be reported. It drops the
// decision on a flow that had to make room since.
func (p *phases) keep(v verdict) []said {
	if v.entry == nil {
		return nil
	}
	l, id := p.ledger, v.entry.ID()
	switch {
	case v.forget:
		l.Forget(id)
	case v.entry.Life() != ledger.Over && l.Entry(id) == nil:
		return nil
	}
	l.Put(v.entry)
	if !v.postpone.IsZero() {
		l.Postpone(id, v.postpone)
	}
	if !v.await.IsZero() {
		l.Await(id, v.await)
	}
	return v.said
}

// reporter makes events, in order and beside the next work of its caller. The
// sentences of an event take as long as everything else about a flow.
type reporter struct {
	composer *ledger.Composer
	sinks    []Sink
	books    *budget.Books
	busy     func() // waits for the work that was begun; nil: none was
}

// begin begins to report what was said. It first waits for the report that was
// begun before.
func (r *reporter) begin(all []said) {
	r.wait()
	work := func() {
		for _, s := range all {
			r.report(s.kind, s.entry)
		}
	}
	if len(all) < worthwhile {
		work()
		return
	}
	r.busy = r.books.Beside(work)
}

// worthwhile is the number of events that is worth a goroutine.
const worthwhile = 16

// wait returns when everything that was begun is reported.
func (r *reporter) wait() {
	if r.busy != nil {
		r.busy()
		r.busy = nil
	}
}

// report publishes what happened to a flow. If the flow is suppressed, only its
// history has it.
func (r *reporter) report(kind flow.EventType, e *ledger.Entry) {
	if suppressed := e.Decision().Suppressed; suppressed != "" && kind != flow.EventAtRisk {
		return
	}
	now := time.Now()
	finding := r.composer.Finding(e, now)
	r.publish(flow.Event{Type: kind, Time: now, Flow: &finding})
}

func (r *reporter) publish(e flow.Event) {
	for _, s := range r.sinks {
		s.Publish(e)
	}
}
