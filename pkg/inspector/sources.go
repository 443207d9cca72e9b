// Package inspector is the loop in the middle: it takes what the kernel side
// shows, asks the other sources about flows that are under suspicion, has them
// judged, re-judges them when evidence moves, and keeps the findings.
package inspector

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// Kernel is the kernel side.
type Kernel interface {
	Records() <-chan tracer.Record
	Snapshot() ([]flow.Socket, error)
	News(named []flow.ID) ([]flow.Socket, error)
	Sweep() ([]flow.Listener, error)
	Lost() (uint64, error)
	SetGone(tuples []flow.Tuple, addrs []netip.Addr) error
}

// Conntrack finds the entry that translates a socket's own tuple: Lookup in
// the default zone and cheaply, Search in every zone. ByReplySource finds the
// entries that lead to backends, Translates whether a Service has any.
type Conntrack interface {
	Lookup(ctx context.Context, tuple flow.Tuple) (flow.Translation, error)
	Search(ctx context.Context, tuple flow.Tuple) ([]flow.Translation, error)
	ByReplySource(ctx context.Context, addrs []netip.Addr, fn func(flow.Translation) error) error
	Translates(ctx context.Context, addr netip.Addr) (bool, error)
}

// Cluster is what is known of Services, backends, pods and nodes.
type Cluster interface {
	Backend(addr netip.AddrPort, now time.Time) cluster.Backend
	BackendVia(addr, service netip.AddrPort, now time.Time) cluster.Backend
	Departed(addr netip.Addr) (since time.Time, ok bool)
	Meet(addrs map[netip.Addr]struct{})
	KnowsNode(name string) bool
	Service(addr netip.AddrPort) (cluster.ServiceAddress, bool)
	Class(addr netip.AddrPort) flow.PeerClass
	PodByIP(addr netip.Addr) (cluster.Pod, bool)
	PodByUID(uid string) (cluster.Pod, bool)
	Label(addr netip.Addr) string
	Health(now time.Time) flow.Health
	OutOfDate(now time.Time) bool
	Changed() <-chan struct{}
	TakeChanged() map[netip.Addr]struct{}
	ClusterIPs(limit int) []netip.Addr
}

// Routes answers how this node reaches an address.
type Routes interface {
	Lookup(ctx context.Context, dst, src netip.Addr) (flow.Route, error)
}

// Owners answers which user a process has and where it runs. Its errors are
// owner.ErrGone for a process that has ended, and owner.ErrHidden for one that
// /proc does not show. Check tells whether it shows any but the agent's own.
type Owners interface {
	Lookup(p flow.Process) (flow.Owner, error)
	Check() error
}

// Places answers which network namespace is which pod's. It may be used from
// any goroutine.
type Places interface {
	Pod(netns uint32) string
	Elsewhere(podUID string, netns uint32) bool
	Knows(netns uint32) bool
	Refresh(now time.Time) error
}

// Sink takes events. Publish must not block.
type Sink interface {
	Publish(flow.Event)
}

// Meter measures what the inspector does. Its methods must not block.
type Meter interface {
	Lookup(source flow.Source, took time.Duration, err error)
	Sweep(kind string, took time.Duration)
	Resync()
}

// Peers reads the remote addresses of every connection of the node.
type Peers interface {
	Peers() (map[netip.Addr]struct{}, error)
}

// Options of an Inspector. Store, Kernel and Cluster are required; another
// source that is nil is not asked.
type Options struct {
	Store     *Store
	Kernel    Kernel
	Cluster   Cluster
	Conntrack Conntrack
	// ConntrackDown says why Conntrack is nil, for the health of the source.
	ConntrackDown string
	Routes        Routes
	Owners        Owners
	Places        Places
	Listening     *Listening // a new one by default
	// Peers is for a cluster source that reads a pod of another node only
	// when it is told that the pod matters.
	Peers Peers
	Sinks []Sink
	Meter Meter
	// Beside returns the health of what is no source and yet has to be told of;
	// nil: there is nothing. It must not block.
	Beside func() []flow.Health

	HostNetNS  uint32        // inode number of the agent's own network namespace
	StuckAfter time.Duration // 10 s by default
	SweepCPU   float64       // share of a core that passes over all sockets may take; 0.01 by default
	// ConntrackAge is how old a stuck flow's conntrack entry may be before it
	// is asked for again; 30 s by default.
	ConntrackAge time.Duration
	MaxFlows     int // how many flows are held; 25,000 by default, some 10 kB each
	Log          *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.StuckAfter == 0 {
		o.StuckAfter = 10 * time.Second
	}
	if o.SweepCPU == 0 {
		o.SweepCPU = 0.01
	}
	if o.ConntrackAge == 0 {
		o.ConntrackAge = 30 * time.Second
	}
	if o.MaxFlows == 0 {
		o.MaxFlows = 25_000
	}
	if o.Places == nil {
		o.Places = nowhere{}
	}
	if o.Listening == nil {
		o.Listening = NewListening()
	}
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

type noMeter struct{}

func (noMeter) Lookup(flow.Source, time.Duration, error) {}
func (noMeter) Sweep(string, time.Duration)              {}
func (noMeter) Resync()                                  {}
