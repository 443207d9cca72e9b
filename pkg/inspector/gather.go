package inspector

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
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
	e.Role = i.role(s, e.Conntrack, before.Role)
	i.askCluster(&e)
	i.askOwner(&e)
	return e
}

// role tells an accepted socket from one that connected: by the kernel's own
// mark, by a listener on its local port, or by the direction in which
// conntrack knows it. What was once seen to be accepted stays so.
func (i *Inspector) role(s flow.Socket, c diagnosis.Conntrack, before flow.Role) flow.Role {
	if s.State == flow.SynSent {
		return flow.Client
	}
	if s.Accepted || before == flow.Server {
		return flow.Server
	}
	if i.listeners[listenKey{s.NetNS, s.Local}] || i.listeners[listenKey{s.NetNS, anyAddr(s.Local.Port())}] {
		return flow.Server
	}
	if c.Entry != nil && c.Entry.Accepted() {
		return flow.Server
	}
	return flow.Client
}

type listenKey struct {
	netns uint32
	local netip.AddrPort
}

// anyAddr stands for a listener on every address of either family.
func anyAddr(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, port) }

func (i *Inspector) setListeners(all []flow.Listener) {
	clear(i.listeners)
	for _, l := range all {
		local := l.Local
		if local.Addr().IsUnspecified() {
			local = anyAddr(local.Port())
		}
		i.listeners[listenKey{l.NetNS, local}] = true
	}
}

// askCluster fills in what the cluster knows: the backend, the peer and, by
// its address, the local pod.
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
	if s := e.Socket; s.Remote.Addr().IsLoopback() || s.Remote.Addr() == s.Local.Addr() {
		e.Peer.Class = flow.PeerSelf
	}
	if e.Peer.Class == flow.PeerExternal {
		e.Peer.Name = c.Label(peer.Addr())
	}
	if e.Role != flow.Client {
		return
	}
	if service, ok := c.Service(e.Socket.Remote); ok {
		e.Service = &service
		e.Peer.Namespace, e.Peer.Service = service.Namespace, service.Name
		return
	}
	if len(e.Backend.Services) == 1 {
		e.Peer.Namespace, e.Peer.Service, _ = strings.Cut(e.Backend.Services[0], "/")
	}
}

// askOwner fills in whose socket it is: by its process, or by its address.
func (i *Inspector) askOwner(e *diagnosis.Evidence) {
	s := e.Socket
	local := flow.Local{Addr: s.Local, PID: s.PID, Comm: s.Comm}
	if s.PID == 0 && e.Local.PID != 0 {
		local.PID, local.Comm = e.Local.PID, e.Local.Comm // a snapshot from before the sweep
	}
	pod, ok := i.o.Cluster.PodByIP(s.Local.Addr())
	if local.PID != 0 && i.o.Owners != nil {
		process, err := i.lookUpOwner(local.PID)
		if errors.Is(err, owner.ErrGone) || err == nil && process.Comm != local.Comm {
			local.PID, local.Comm = 0, "" // dead, or its number given to another
		}
		if err == nil && local.PID != 0 && process.PodUID != "" {
			if p, known := i.o.Cluster.PodByUID(process.PodUID); known {
				pod, ok = p, true
				local.Container = p.Container(process.Container)
			}
		}
	}
	if ok {
		local.Namespace, local.Pod, local.PodUID = pod.Namespace, pod.Name, pod.UID
		local.Workload, local.WorkloadKind = pod.Workload, pod.WorkloadKind
	}
	e.Local = local
}

// lookUpOwner asks where a process runs; the many flows of one process share
// an answer.
func (i *Inspector) lookUpOwner(pid uint32) (flow.Owner, error) {
	began := time.Now()
	a, ok := i.owners[pid]
	if ok && began.Sub(a.at) < ownerAge {
		return a.owner, a.err
	}
	process, err := i.o.Owners.Lookup(pid)
	i.o.Meter.Lookup(flow.SourceOwner, time.Since(began), err)
	if len(i.owners) >= maxOwners {
		clear(i.owners)
	}
	i.owners[pid] = ownerAnswer{owner: process, err: err, at: began}
	return process, err
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
	ownerAge  = 500 * time.Millisecond
	maxOwners = 1024
)

type ownerAnswer struct {
	owner flow.Owner
	err   error
	at    time.Time
}

type routeAnswer struct {
	route flow.Route
	err   error
	at    time.Time
}
