package ledger

import (
	"net/netip"
	"strings"
	"time"
	"unique"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// facts are the answers about a flow, without its reading. Flows that share an
// answer point at one value: process and pod, Service, backend, the state of a
// source.
type facts struct {
	now        distance // from the reading
	stuckAfter time.Duration
	local      unique.Handle[flow.Local] // without the address
	proven     unique.Handle[proven]
	peer       unique.Handle[flow.Peer] // without the address
	backend    unique.Handle[backend]
	service    unique.Handle[service]
	cluster    unique.Handle[flow.Health]
	conntrack  conntrack
	role       unique.Handle[flow.Role]
	flags      uint8
	rare       *rare // nil: none of it
}

// The flags of facts.
const (
	isHost = 1 << iota
	isRelated
	isTranslating
	hasEnded
	isTransient
)

// proven is what the kernel has proven of a flow's owner.
type proven struct{ podUID, user string }

// rare is what only few flows have.
type rare struct {
	route        *flow.Route
	routeErr     error
	routeAt      time.Time
	conntrackErr error
	upstream     *diagnosis.Upstream
	listener     *diagnosis.Listener
	drops        *diagnosis.Drops
	end          *flow.End
}

// packFacts packs the evidence on a flow, except its reading and its abort
// deadline.
func packFacts(e diagnosis.Evidence) facts {
	local, peer := e.Local, e.Peer
	local.Addr, peer.Addr = netip.AddrPort{}, netip.AddrPort{}
	f := facts{
		now: distanceOf(e.Now, e.Socket.At), stuckAfter: e.StuckAfter, local: unique.Make(local), proven: unique.Make(proven{e.PodUID, e.User}), peer: unique.Make(peer),
		backend: unique.Make(packBackend(e.Backend, e.Target())), service: unique.Make(packService(e.Service)), cluster: unique.Make(e.Cluster),
		conntrack: packConntrack(e.Conntrack, e.Socket), role: unique.Make(e.Role),
	}
	for _, b := range [...]struct {
		flag uint8
		set  bool
	}{{isHost, e.Host}, {isRelated, e.Related}, {isTranslating, e.Translates}, {hasEnded, e.Ended}, {isTransient, e.Transient}} {
		if b.set {
			f.flags |= b.flag
		}
	}
	r := rare{
		route: e.Route, routeErr: e.RouteErr, routeAt: e.RouteAt, conntrackErr: e.Conntrack.Err, upstream: e.Upstream, listener: e.Listener, drops: e.Drops, end: e.End,
	}
	if r != (rare{}) {
		f.rare = &r
	}
	return f
}

// room is memory for the answers that evidence points at.
type room struct {
	entry   flow.Translation
	service cluster.ServiceAddress
}

// evidence joins the facts with the socket that they are about. The evidence points into to.
func (f *facts) evidence(s flow.Socket, to *room) diagnosis.Evidence {
	is := func(flag uint8) bool { return f.flags&flag != 0 }
	e := diagnosis.Evidence{
		Now: f.now.time(s.At), StuckAfter: f.stuckAfter, Ended: is(hasEnded), Socket: s, Role: f.role.Value(),
		Local: f.local.Value(), PodUID: f.proven.Value().podUID, User: f.proven.Value().user, Peer: f.peer.Value(), Conntrack: f.conntrack.evidence(&s, &to.entry),
		Service: f.service.Value().evidence(&to.service), Cluster: f.cluster.Value(),
		Host: is(isHost), Related: is(isRelated), Translates: is(isTranslating), Transient: is(isTransient),
	}
	e.Local.Addr, e.Peer.Addr = s.Local, s.Remote
	e.Backend = f.backend.Value().evidence(e.Target())
	if r := f.rare; r != nil {
		e.Route, e.RouteErr, e.RouteAt = r.route, r.routeErr, r.routeAt
		e.Conntrack.Err, e.Upstream, e.Listener, e.Drops, e.End = r.conntrackErr, r.upstream, r.listener, r.drops, r.end
	}
	return e
}

// moved returns the same facts for another reading.
func (f *facts) moved(from, to time.Time) facts {
	next, by := *f, distance(from.Sub(to))
	next.now, next.conntrack.at = f.now.moved(by), f.conntrack.at.moved(by)
	return next
}

// backend is a cluster.Backend in a form that compares.
type backend struct {
	addr           netip.AddrPort // if it is elsewhere; else it is the target of each flow that shares the value
	elsewhere      bool
	namespace, pod string
	podUID, node   string
	nodeState      cluster.NodeState
	state          flow.BackendState
	since, created time.Time
	how            string
	services       string // separated by blanks
	former         cluster.Former
	hostNetwork, reused,
	unread, unverified bool
}

func packBackend(b cluster.Backend, target netip.AddrPort) backend {
	p := backend{
		namespace: b.Namespace, pod: b.Pod, podUID: b.PodUID, node: b.Node, nodeState: b.NodeState, hostNetwork: b.HostNetwork,
		state: b.State, since: b.Since, created: b.CreatedAt, how: b.How, services: strings.Join(b.Services, " "), unread: b.Unread, unverified: b.Unverified,
	}
	if b.Addr != target {
		p.addr, p.elsewhere = b.Addr, true
	}
	if b.Former != nil {
		p.former, p.reused = *b.Former, true
	}
	return p
}

func (p backend) evidence(target netip.AddrPort) cluster.Backend {
	b := cluster.Backend{
		Addr: target, Namespace: p.namespace, Pod: p.pod, PodUID: p.podUID, Node: p.node, NodeState: p.nodeState, HostNetwork: p.hostNetwork,
		State: p.state, Since: p.since, CreatedAt: p.created, How: p.how, Services: strings.Fields(p.services), Unread: p.unread, Unverified: p.unverified,
	}
	if p.elsewhere {
		b.Addr = p.addr
	}
	if p.reused {
		former := p.former
		b.Former = &former
	}
	return b
}

// service is the Service of a flow's peer; the zero value is none.
type service struct {
	cluster.ServiceAddress
	known bool
}

func packService(s *cluster.ServiceAddress) service {
	if s == nil {
		return service{}
	}
	return service{*s, true}
}

func (s service) evidence(to *cluster.ServiceAddress) *cluster.ServiceAddress {
	if !s.known {
		return nil
	}
	*to = s.ServiceAddress
	return to
}
