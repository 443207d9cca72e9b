package inspector_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/inspector"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

const (
	stuckAfter = 400 * time.Millisecond
	patience   = 15 * time.Second
)

var (
	local   = netip.MustParseAddrPort("192.168.75.2:43580")
	service = netip.MustParseAddrPort("10.96.0.10:8000")
	server  = netip.MustParseAddrPort("192.168.136.2:8000")
)

// node is an agent on fake sources with one Service of one backend.
type node struct {
	t         *testing.T
	kernel    *kernel
	table     *table
	cluster   *cluster.State
	store     *ledger.View
	events    sink
	owners    evidence.Owners
	places    evidence.Places
	host      uint32 // the network namespace of the node
	listening *evidence.Listening
	routes    evidence.Routes
	peers     inspector.Peers
	lasts     time.Duration // how long a conntrack entry is taken for current
	stop      func()        // has the inspector end
	done      chan struct{} // closed once it has
}

func objects() cluster.Objects {
	return cluster.Objects{
		HasServices: true, HasSlices: true, HasPods: true, HasNodes: true,
		Services: []cluster.Service{{Namespace: "default", Name: "server", ClusterIPs: []netip.Addr{service.Addr()}, Ports: []uint16{8000}}},
		Slices: []cluster.Slice{{Namespace: "default", Name: "server-1", Service: "server", Ports: []uint16{8000}, Endpoints: []cluster.Endpoint{
			{Addr: server.Addr(), Node: "node-b", Pod: "server-1", PodUID: "uid-1", Ready: true},
		}}},
		Pods: []cluster.Pod{
			{Namespace: "default", Name: "server-1", UID: "uid-1", Node: "node-b", IPs: []netip.Addr{server.Addr()}},
			{Namespace: "default", Name: "client-1", UID: "uid-2", Node: "node-a", IPs: []netip.Addr{local.Addr()}, Workload: "client", WorkloadKind: "Deployment"},
		},
		Nodes: []cluster.Node{{Name: "node-a", State: cluster.NodeReady}, {Name: "node-b", State: cluster.NodeReady}},
	}
}

// without is the cluster after the server's pod was force-deleted.
func without() cluster.Objects {
	o := objects()
	o.Slices[0].Endpoints = nil
	o.Pods = o.Pods[1:]
	return o
}

func (n *node) replace(o cluster.Objects) {
	now := time.Now()
	n.cluster.Replace(o, now)
	n.cluster.SetHealth(true, "test", now)
}

// soonOutOfDate gives the node records that are trusted for a second after
// they were last read.
func (n *node) soonOutOfDate() {
	n.cluster = cluster.New(cluster.Options{MaxStaleness: time.Second, Node: "node-a"})
	n.replace(objects())
	n.cluster.TakeChanged()
}

// start runs an inspector; prepare may set the stage before it looks.
func start(t *testing.T, prepare func(*node)) *node {
	t.Helper()
	ours := flow.Tuple{Src: local, Dst: service}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{
		t: t, stop: cancel, done: make(chan struct{}), kernel: newKernel(), cluster: cluster.New(cluster.Options{MaxStaleness: time.Minute, Node: "node-a"}), events: make(sink, 1000),
		table: &table{entries: map[flow.Tuple]flow.Translation{ours: {Orig: ours, Reply: flow.Tuple{Src: server, Dst: local}, State: "ESTABLISHED"}}},
		lasts: time.Second,
	}
	n.replace(objects())
	n.cluster.TakeChanged()
	if prepare != nil {
		prepare(n)
	}
	select {
	case <-n.cluster.Changed(): // the first records, which would count as a change
	default:
	}
	held := ledger.New(ledger.Options{Node: "node-a", BootID: "boot", StuckAfter: stuckAfter, MaxFlows: 1000, KeepEnded: 10, HostNetNS: n.host}, time.Now())
	n.store = held.View()
	i := inspector.New(inspector.Options{
		Node: "node-a", BootID: "boot", Ledger: held, Kernel: n.kernel, Cluster: n.cluster, Conntrack: n.table, Sinks: []inspector.Sink{n.events}, StuckAfter: stuckAfter,
		Owners: n.owners, Places: n.places, Listening: n.listening, HostNetNS: n.host, Routes: n.routes, Peers: n.peers, ConntrackAge: n.lasts,
	})
	ready := make(chan struct{})
	go func() {
		defer close(n.done)
		if err := i.Run(ctx, func() { close(ready) }); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-n.done
	})
	select {
	case <-ready:
	case <-n.done: // it was ended in its first look
	}
	return n
}

// hung is a client socket that just saw its first RTO.
func hung() flow.Socket {
	now := time.Now()
	return flow.Socket{
		ID: 0x1f3a, NetNS: 7, Local: local, Remote: service, State: flow.Established, Live: true, At: now, Since: now,
		LastAck: now.Add(-3 * time.Second), Timeouts: 1, Retransmits: 1, PacketsOut: 1, RetransOut: 1, SendWindow: 65535, Pending: flow.TimerRetransmit,
		Unacknowledged: 6, Una: 100, RTO: 400 * time.Millisecond, RTOMax: 2 * time.Minute, Retries2: 15, Tick: 4 * time.Millisecond,
		PID: echo.PID, Started: echo.Started, Comm: "echo",
	}
}

func (n *node) await(want flow.EventType) flow.Event {
	n.t.Helper()
	select {
	case e := <-n.events:
		if e.Type != want {
			n.t.Fatalf("event %s, want %s: %+v", e.Type, want, e.Flow)
		}
		return e
	case <-time.After(patience):
		n.t.Fatalf("no event %s", want)
	}
	return flow.Event{}
}

// settle waits until the inspector has taken up what the cluster changed.
func (n *node) settle() {
	n.t.Helper()
	time.Sleep(200 * time.Millisecond)
}

// quiet demands that no event comes for twice stuck-after.
func (n *node) quiet() {
	n.t.Helper()
	select {
	case e := <-n.events:
		n.t.Fatalf("event %s of %+v, want none", e.Type, e.Flow)
	case <-time.After(2 * stuckAfter):
	}
}

func (n *node) findings() []flow.Finding {
	return slices.Collect(n.store.Each(flow.Selection{Live: true, Words: true}))
}

func (n *node) ended() []flow.Finding {
	return slices.Collect(n.store.Each(flow.Selection{Ended: true, Words: true}))
}

func verdict(e flow.Event) string { return string(e.Flow.Symptom) + " · " + string(e.Flow.Cause) }

func sameAddr(a, b netip.AddrPort) bool { return a == b }
