package evidence

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	routeAge  = 5 * time.Second
	maxRoutes = 1024
)

// routes says how this node passes on packets from one address to another; all flows between
// the two share the answer.
type routes struct {
	routes  Routes // nil: not asked
	meter   Meter
	answers map[way]routeAnswer
}

type way struct{ dst, src netip.Addr }

type routeAnswer struct {
	route *flow.Route
	err   error
	at    time.Time
}

// ask adds how this node passes on what the socket sends to its backend.
func (r *routes) ask(ctx context.Context, e *diagnosis.Evidence) {
	if r.routes == nil {
		return
	}
	w := way{e.Target().Addr(), e.Socket.Local.Addr()}
	a, ok := r.answers[w]
	if !ok || e.Now.Sub(a.at) > routeAge {
		a = r.lookup(ctx, w, e.Now)
	}
	e.Route, e.RouteErr, e.RouteAt = a.route, a.err, a.at
}

func (r *routes) lookup(ctx context.Context, w way, now time.Time) routeAnswer {
	ctx, cancel := lookup(ctx, patience)
	defer cancel()
	began := time.Now()
	route, err := r.routes.Lookup(ctx, w.dst, w.src)
	r.meter.Lookup(flow.SourceRoute, time.Since(began), err)
	a := routeAnswer{err: err, at: now}
	if err == nil {
		a.route = &route
	}
	if len(r.answers) >= maxRoutes {
		clear(r.answers)
	}
	r.answers[w] = a
	return a
}
