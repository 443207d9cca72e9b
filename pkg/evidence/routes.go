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

// routes says how this node reaches an address; all flows to one address share
// its answer.
type routes struct {
	routes  Routes // nil: not asked
	meter   Meter
	answers map[netip.Addr]routeAnswer
}

type routeAnswer struct {
	route *flow.Route
	err   error
	at    time.Time
}

// ask adds how this node reaches the backend.
func (r *routes) ask(ctx context.Context, e *diagnosis.Evidence) {
	if r.routes == nil {
		return
	}
	dst := e.Target().Addr()
	a, ok := r.answers[dst]
	if !ok || e.Now.Sub(a.at) > routeAge {
		a = r.lookup(ctx, dst, e.Now)
	}
	e.Route, e.RouteErr, e.RouteAt = a.route, a.err, a.at
}

func (r *routes) lookup(ctx context.Context, dst netip.Addr, now time.Time) routeAnswer {
	ctx, cancel := lookup(ctx, patience)
	defer cancel()
	began := time.Now()
	route, err := r.routes.Lookup(ctx, dst, netip.Addr{})
	r.meter.Lookup(flow.SourceRoute, time.Since(began), err)
	a := routeAnswer{err: err, at: now}
	if err == nil {
		a.route = &route
	}
	if len(r.answers) >= maxRoutes {
		clear(r.answers)
	}
	r.answers[dst] = a
	return a
}
