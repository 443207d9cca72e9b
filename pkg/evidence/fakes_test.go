package evidence

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

const hostNetNS = 1

var (
	client  = netip.MustParseAddrPort("192.168.75.2:43580")
	service = netip.MustParseAddrPort("10.96.0.10:8000")
	server  = netip.MustParseAddrPort("192.168.136.2:8000")
	outside = netip.MustParseAddrPort("203.0.113.9:443")
)

// records are of a cluster with one Service of one backend, on another node than
// the client.
func records() *cluster.State {
	now := time.Now()
	c := cluster.New(cluster.Options{
		MaxStaleness: time.Hour, Node: "node-a",
		Names: []cluster.Name{{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Label: "database"}},
	})
	c.Replace(cluster.Objects{
		HasServices: true, HasSlices: true, HasPods: true, HasNodes: true,
		Services: []cluster.Service{{Namespace: "shop", Name: "cart", ClusterIPs: []netip.Addr{service.Addr()}, Ports: []uint16{8000}}},
		Slices: []cluster.Slice{{Namespace: "shop", Name: "cart-1", Service: "cart", Ports: []uint16{8000}, Endpoints: []cluster.Endpoint{
			{Addr: server.Addr(), Node: "node-b", Pod: "cart-1", PodUID: "uid-cart", Ready: true},
		}}},
		Pods: []cluster.Pod{
			{Namespace: "shop", Name: "cart-1", UID: "uid-cart", Node: "node-b", IPs: []netip.Addr{server.Addr()}},
			{
				Namespace: "shop", Name: "web-1", UID: "uid-web", Node: "node-a", IPs: []netip.Addr{client.Addr()}, Workload: "web", WorkloadKind: "Deployment",
				Containers: []cluster.Container{{ID: "c1", Name: "nginx"}},
			},
			{Namespace: "evil", Name: "other-1", UID: "uid-other", Node: "node-a", IPs: []netip.Addr{netip.MustParseAddr("192.168.75.66")}},
		},
		Nodes: []cluster.Node{{Name: "node-a", State: cluster.NodeReady}, {Name: "node-b", State: cluster.NodeReady}},
	}, now)
	c.SetHealth(true, "test", now)
	return c
}

// entryOf is the entry that has the Service's connection of a socket lead to its
// backend.
func entryOf(s flow.Socket) flow.Translation {
	return flow.Translation{Asked: s.Tuple(), Orig: s.Tuple(), Reply: flow.Tuple{Src: server, Dst: s.Local}, State: "ESTABLISHED"}
}

// to is a client's socket that hangs.
func to(remote netip.AddrPort) flow.Socket {
	return flow.Socket{ID: 1, NetNS: 7, Local: client, Remote: remote, State: flow.Established, At: time.Now(), Timeouts: 1}
}

// many are sockets with ports of their own.
func many(n int) []diagnosis.Evidence {
	all := make([]diagnosis.Evidence, n)
	for k := range all {
		all[k].Socket = to(service)
		all[k].Socket.ID, all[k].Socket.Local = flow.ID(k+1), netip.AddrPortFrom(client.Addr(), uint16(10_000+k))
	}
	return all
}

// questions is a conntrack table, which counts what it is asked.
type questions struct {
	entries  map[flow.Tuple]flow.Translation
	zones    map[flow.Tuple]flow.Translation // entries of other zones
	err      error
	takes    time.Duration // for one question
	lookups  int
	searches int // of any kind
	asked    func(n int)
}

func (q *questions) LookupAll(ctx context.Context, tuples []flow.Tuple) []conntrack.Answer {
	answers := make([]conntrack.Answer, len(tuples))
	for n, tuple := range tuples {
		if answers[n].Err = ctx.Err(); answers[n].Err != nil {
			continue
		}
		q.lookups++
		if q.asked != nil {
			q.asked(q.lookups)
		}
		answers[n].Entry, answers[n].Err = q.find(context.WithoutCancel(ctx), q.entries, tuple)
	}
	return answers
}

func (q *questions) find(ctx context.Context, in map[flow.Tuple]flow.Translation, t flow.Tuple) (flow.Translation, error) {
	time.Sleep(q.takes)
	if ctx.Err() != nil {
		return flow.Translation{}, ctx.Err()
	}
	entry, ok := in[t]
	switch {
	case q.err != nil:
		return flow.Translation{}, q.err
	case !ok:
		return flow.Translation{}, conntrack.ErrNotFound
	}
	return entry, nil
}

func (q *questions) Search(ctx context.Context, t flow.Tuple) ([]flow.Translation, error) {
	q.searches++
	entry, err := q.find(ctx, q.zones, t)
	return []flow.Translation{entry}, err
}

func (q *questions) Longest() time.Duration { return 5 * 24 * time.Hour }

func (q *questions) Translates(_ context.Context, addr netip.Addr) (bool, error) {
	q.searches++
	time.Sleep(q.takes)
	for _, entries := range []map[flow.Tuple]flow.Translation{q.entries, q.zones} {
		for t := range entries {
			if t.Dst.Addr() == addr {
				return true, q.err
			}
		}
	}
	return false, q.err
}

// measured counts questions, and those that failed, by source.
type measured struct{ asked, failed map[flow.Source]int }

func newMeasured() measured { return measured{map[flow.Source]int{}, map[flow.Source]int{}} }

func (m measured) Lookup(source flow.Source, _ time.Duration, err error) {
	m.asked[source]++
	if err != nil {
		m.failed[source]++
	}
}

func (measured) Scan(string, time.Duration) {}

// processesOf answers for the processes that live.
type processesOf struct {
	living map[flow.Process]flow.Owner
	hidden bool  // from Lookup
	closed error // to Check
	asked  int
	checks int
}

func (p *processesOf) Lookup(process flow.Process) (flow.Owner, error) {
	p.asked++
	if p.hidden {
		return flow.Owner{}, owner.ErrHidden
	}
	found, ok := p.living[process]
	if !ok {
		return flow.Owner{}, owner.ErrGone
	}
	return found, nil
}

func (p *processesOf) Check() error {
	p.checks++
	return p.closed
}

// pods are whose network namespaces are; it counts the looks at all processes.
type pods struct {
	of    map[uint32]string
	looks *int
}

func (p pods) Pod(netns uint32) string { return p.of[netns] }

func (p pods) Elsewhere(uid string, netns uint32) bool {
	for at, of := range p.of {
		if of == uid && at != netns {
			return true
		}
	}
	return false
}

func (p pods) Knows(netns uint32) bool { return p.of[netns] != "" }

func (p pods) Refresh(time.Time) error {
	*p.looks++
	return nil
}

// asking returns an Asker of this table, and its meter.
func asking(t *testing.T, q *questions, change func(*Options)) (*Asker, measured) {
	t.Helper()
	books, m, now := &budget.Books{}, newMeasured(), time.Now()
	o := Options{
		Names: Names{Cluster: records(), Places: Nowhere{}, HostNetNS: hostNetNS}, Listening: NewListening(), Meter: m, Node: "node-a",
		StuckAfter: 10 * time.Second, ConntrackAge: 30 * time.Second,
		Scans: books.New(0.01, time.Minute, now), Searches: books.New(0.01, time.Minute, now),
	}
	if q != nil {
		o.Conntrack = q
	}
	if change != nil {
		change(&o)
	}
	return New(o), m
}

// one asks about one flow.
func one(t *testing.T, a *Asker, known diagnosis.Evidence, maxAge time.Duration) diagnosis.Evidence {
	t.Helper()
	a.Gather(t.Context(), []*diagnosis.Evidence{&known}, maxAge)
	return known
}

// gather asks about some flows.
func gather(ctx context.Context, a *Asker, known []diagnosis.Evidence, maxAge time.Duration) []diagnosis.Evidence {
	gathered, each := slices.Clone(known), make([]*diagnosis.Evidence, len(known))
	for n := range gathered {
		each[n] = &gathered[n]
	}
	a.Gather(ctx, each, maxAge)
	return gathered
}

func sameAddrs() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	}
}
