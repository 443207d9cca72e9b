package inspector

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/departed"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// Kernel is the kernel side.
type Kernel interface {
	Records() <-chan tracer.Record
	Snapshot(show func(flow.Socket)) error
	Incremental(named []flow.ID, show func(flow.Socket)) error
	ScanFiles() ([]flow.Listener, error)
	Signs() (tracer.Signs, error)
	departed.Kernel
}

// Conntrack is the connection tracking table.
type Conntrack interface {
	evidence.Conntrack
	departed.Conntrack
}

// Cluster is what is known of Services, backends, pods and nodes, and which
// addresses have changed.
type Cluster interface {
	evidence.Cluster
	departed.Cluster
	NotePeers(addrs map[netip.Addr]struct{})
	OutOfDate(now time.Time) bool
	Changed() <-chan struct{}
	TakeChanged() map[netip.Addr]struct{}
}

var _ Cluster = (*cluster.State)(nil)

// Sink takes events. Publish must not block.
type Sink interface {
	Publish(flow.Event)
}

// Meter measures what the inspector does. Its methods must not block.
type Meter interface {
	evidence.Meter
	Resync()
}

// Peers reads the remote addresses of every connection of the node.
type Peers interface {
	Peers() (map[netip.Addr]struct{}, error)
}

// Options of an Inspector. Ledger, Kernel and Cluster are required. A source that
// is nil is not asked.
type Options struct {
	Ledger    *ledger.Ledger
	Kernel    Kernel
	Cluster   Cluster
	Conntrack Conntrack
	// ConntrackDown says why Conntrack is nil, for the health of the source.
	ConntrackDown string
	Routes        evidence.Routes
	Drops         evidence.Drops // nil: not watched
	Owners        evidence.Owners
	Places        evidence.Places
	Listening     *evidence.Listening // a new one by default
	// Peers is for a cluster source that reads a pod of another node only if
	// connections of this node lead there.
	Peers Peers
	Sinks []Sink
	Meter Meter
	// Beside returns the health of parts that are shown beside the sources; nil:
	// there are none. It must not block.
	Beside func() []flow.Health

	Node, BootID string
	HostNetNS    uint32        // inode number of the node's own network namespace
	StuckAfter   time.Duration // without progress make a flow stuck; 10 s by default
	ScanCPU      float64       // share of a core that file scans may take; 0.01 by default
	// ConntrackAge is the age at which a stuck flow's conntrack entry is looked
	// up again; 30 s by default.
	ConntrackAge time.Duration
	Log          *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.StuckAfter == 0 {
		o.StuckAfter = 10 * time.Second
	}
	if o.ScanCPU == 0 {
		o.ScanCPU = 0.01
	}
	if o.ConntrackAge == 0 {
		o.ConntrackAge = 30 * time.Second
	}
	if o.Places == nil {
		o.Places = evidence.Nowhere{}
	}
	if o.Listening == nil {
		o.Listening = evidence.NewListening()
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
func (noMeter) Scan(string, time.Duration)               {}
func (noMeter) Resync()                                  {}
