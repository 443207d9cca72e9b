package evidence

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Conntrack finds the entry that translates a socket's own tuple. LookupAll looks in
// the default zone, is cheap, and returns an answer for each tuple, in their order;
// once ctx ends, it asks no more. Search looks in every zone. Translates reports
// whether a Service has any entry. Longest is the time-out of an entry whose data is
// acknowledged; 0: not known.
type Conntrack interface {
	LookupAll(ctx context.Context, tuples []flow.Tuple) []conntrack.Answer
	Search(ctx context.Context, tuple flow.Tuple) ([]flow.Translation, error)
	Translates(ctx context.Context, addr netip.Addr) (bool, error)
	Longest() time.Duration
}

// Cluster is what is known of Services, backends, pods and nodes.
type Cluster interface {
	BackendVia(addr, service netip.AddrPort, now time.Time) cluster.Backend
	KnowsNode(name string) bool
	Service(addr netip.AddrPort) (cluster.ServiceAddress, bool)
	Class(addr netip.AddrPort) flow.PeerClass
	PodByIP(addr netip.Addr) (cluster.Pod, bool)
	PodByUID(uid string) (cluster.Pod, bool)
	Label(addr netip.Addr) string
	ComesAndGoes(addr netip.Addr) bool
	Health(now time.Time) flow.Health
	ClusterIPs(limit int) []netip.Addr
}

// Routes says how this node reaches an address.
type Routes interface {
	Lookup(ctx context.Context, dst, src netip.Addr) (flow.Route, error)
}

// Owners says which user a process has and where it runs. Its errors are
// owner.ErrGone for a process that has ended, and owner.ErrHidden for one that
// /proc hides. Check returns an error if /proc hides the processes of other users.
type Owners interface {
	Lookup(p flow.Process) (flow.Owner, error)
	Check() error
}

// Places says which pod a network namespace belongs to. It is safe for concurrent
// use.
type Places interface {
	Pod(netns uint32) string
	Elsewhere(podUID string, netns uint32) bool
	Knows(netns uint32) bool
	Refresh(now time.Time) error
}

// Meter measures the questions. Its methods must not block.
type Meter interface {
	Lookup(source flow.Source, took time.Duration, err error)
	Scan(kind string, took time.Duration)
}

// Options of an Asker. Names, Meter and the budgets are required. A source
// that is nil is not asked.
type Options struct {
	Names     Names
	Conntrack Conntrack
	// ConntrackDown says why Conntrack is nil, for the health of the source.
	ConntrackDown string
	Routes        Routes
	Drops         Drops
	Listening     *Listening
	Meter         Meter
	Node          string
	StuckAfter    time.Duration
	ConntrackAge  time.Duration  // how long an answer of conntrack is current
	Scans         *budget.Budget // pays for looks at all processes
	Searches      *budget.Budget // pays for searches of the whole conntrack table
}

// Nowhere proves nothing.
type Nowhere struct{}

// Pod implements Places.
func (Nowhere) Pod(uint32) string { return "" }

// Elsewhere implements Places.
func (Nowhere) Elsewhere(string, uint32) bool { return false }

// Knows implements Places.
func (Nowhere) Knows(uint32) bool { return true }

// Refresh implements Places.
func (Nowhere) Refresh(time.Time) error { return nil }
