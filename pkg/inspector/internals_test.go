package inspector

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// emptied is a kernel side that has no socket any more; what became of them
// waits among its records.
type emptied chan tracer.Record

func (e emptied) Records() <-chan tracer.Record                { return e }
func (emptied) Snapshot(func(flow.Socket)) error               { return nil }
func (emptied) Incremental([]flow.ID, func(flow.Socket)) error { return nil }
func (emptied) ScanFiles() ([]flow.Listener, error)            { return nil, nil }
func (emptied) Signs() (tracer.Signs, error)                   { return tracer.Signs{}, nil }
func (emptied) SetGone([]flow.Tuple, []netip.Addr) error       { return nil }

// holding is a kernel side that shows one socket.
type holding struct {
	emptied
	socket flow.Socket
	unread error
}

func (h *holding) Incremental(_ []flow.ID, show func(flow.Socket)) error {
	if h.unread != nil {
		return h.unread
	}
	h.socket.At = time.Now()
	show(h.socket)
	return nil
}

// published are the events that came.
type published []flow.Event

func (p *published) Publish(e flow.Event) { *p = append(*p, e) }

// watching returns an inspector, with an empty ledger if it gets none.
func watching(o Options) *Inspector {
	o.Node, o.BootID = "node-a", "boot"
	o = o.withDefaults()
	if o.Ledger == nil {
		o.Ledger = ledger.New(ledger.Options{Node: o.Node, BootID: o.BootID, StuckAfter: o.StuckAfter, MaxFlows: 100, KeepEnded: 10}, time.Now())
	}
	if o.Cluster == nil {
		o.Cluster = cluster.New(cluster.Options{})
	}
	return New(o)
}

// take has an inspector take a record.
func take(ctx context.Context, i *Inspector, r tracer.Record) {
	i.phases.turn(ctx, collected{records: []tracer.Record{r}}, nil)
}

// reportNow reports a suspect before its time.
func reportNow(i *Inspector, id flow.ID, kind flow.EventType) {
	e := i.o.Ledger.Entry(id)
	evidence := e.Evidence()
	e = e.Judge(evidence, diagnosis.Decide(&evidence)).Report(time.Now(), "found stuck")
	i.phases.report(verdict{entry: e, said: []said{{kind, e}}})
}

// report keeps a verdict and reports it.
func (p *phases) report(v verdict) {
	p.reporter.begin(p.keep(v))
	p.reporter.wait()
}
