package inspector

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// gather asks every cheap source about a flow. Its conntrack answer is taken
// over from before where that is younger than maxAge.
func (i *Inspector) gather(ctx context.Context, s flow.Socket, before diagnosis.Evidence, maxAge time.Duration) diagnosis.Evidence {
	now := time.Now()
	e := before
	e.Now, e.StuckAfter, e.Socket = now, i.o.StuckAfter, s
	e.Host, e.Translates = s.NetNS == i.o.HostNetNS, i.translates
	if e.Conntrack.At.IsZero() || now.Sub(e.Conntrack.At) >= maxAge {
		e.Conntrack = i.renewConntrack(ctx, s, before.Conntrack, now)
	}
	e.Role = role(s, e.Conntrack.Entry, i.o.Listening, before.Role)
	i.askCluster(&e)
	i.askOwner(&e)
	return e
}

// askCluster fills in what the cluster knows: the backend and the peer.
func (i *Inspector) askCluster(e *diagnosis.Evidence) {
	c := i.o.Cluster
	e.Cluster = c.Health(e.Now)
	i.askBackend(e)
	e.Peer = flow.Peer{Addr: e.Socket.Remote}
	e.Service = nil
	// The peer of an accepted socket is whoever connected, before any SNAT.
	peer := e.Socket.Remote
	if e.Role == flow.Server {
		peer = e.Target()
	}
	e.Peer.Class = c.Class(peer)
	service, ok := c.Service(e.Socket.Remote)
	if ok && service.Kind == cluster.ExternalIP && e.Untranslated() {
		ok, e.Peer.Class = false, c.Class(netip.AddrPortFrom(peer.Addr(), 0)) // any tenant may claim any address
	}
	if s := e.Socket; s.Remote.Addr().IsLoopback() || s.Remote.Addr() == s.Local.Addr() {
		e.Peer.Class = flow.PeerSelf
	}
	if e.Peer.Class == flow.PeerExternal {
		e.Peer.Name = c.Label(peer.Addr())
	}
	if e.Role != flow.Client {
		return
	}
	if ok {
		e.Service = &service
		e.Peer.Namespace, e.Peer.Service = service.Namespace, service.Name
		return
	}
	if len(e.Backend.Services) == 1 {
		e.Peer.Namespace, e.Peer.Service, _ = strings.Cut(e.Backend.Services[0], "/")
	}
}

// askRoute asks how this node reaches the backend; many flows to one address
// share an answer.
func (i *Inspector) askRoute(ctx context.Context, e *diagnosis.Evidence) {
	if i.o.Routes == nil {
		return
	}
	dst := e.Target().Addr()
	r, ok := i.routes[dst]
	if !ok || e.Now.Sub(r.at) > routeAge {
		ctx, cancel := lookup(ctx, patience)
		defer cancel()
		began := time.Now()
		route, err := i.o.Routes.Lookup(ctx, dst, netip.Addr{})
		i.o.Meter.Lookup(flow.SourceRoute, time.Since(began), err)
		r = routeAnswer{route: route, err: err, at: e.Now}
		if len(i.routes) >= maxRoutes {
			clear(i.routes)
		}
		i.routes[dst] = r
	}
	e.RouteAt, e.RouteErr, e.Route = r.at, r.err, nil
	if r.err == nil {
		e.Route = &r.route
	}
}

const (
	routeAge  = 5 * time.Second
	maxRoutes = 1024
)

type routeAnswer struct {
	route flow.Route
	err   error
	at    time.Time
}
