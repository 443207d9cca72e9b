package inspector_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/inspector"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
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

// kernel is a kernel side whose sockets the test sets.
type kernel struct {
	records chan tracer.Record

	mu        sync.Mutex
	sockets   map[flow.ID]flow.Socket
	idle      []flow.Socket // that SetGone may turn into suspects
	listeners []flow.Listener
	lost      uint64
	err       error
	readings  int // how often its suspects were read
	swept     bool
	unowned   bool   // a socket's owner shows only once a file scan has seen it
	asked     func() // what happens when it is next asked for its losses; nil: nothing
}

func newKernel() *kernel {
	return &kernel{records: make(chan tracer.Record, 100), sockets: map[flow.ID]flow.Socket{}}
}

func (k *kernel) Records() <-chan tracer.Record { return k.records }

func (k *kernel) Snapshot() ([]flow.Socket, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.readings++
	var all []flow.Socket
	for _, s := range k.sockets {
		s.At = time.Now()
		if k.unowned && !k.swept {
			s.PID, s.Started, s.Comm = 0, 0, ""
		}
		all = append(all, s)
	}
	return all, k.err
}

// News shows more than is new, which the contract allows.
func (k *kernel) News([]flow.ID) ([]flow.Socket, error) { return k.Snapshot() }

// happens has something happen, once.
func happens(what *func()) {
	if f := *what; f != nil {
		*what = nil
		f()
	}
}

func (k *kernel) Sweep() ([]flow.Listener, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swept = true
	return k.listeners, k.err
}

func (k *kernel) Lost() (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	happens(&k.asked)
	return k.lost, nil
}

// SetGone makes suspects of the idle sockets, as a file scan would.
func (k *kernel) SetGone(tuples []flow.Tuple, addrs []netip.Addr) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.idle {
		delete(k.sockets, s.ID)
		if slices.Contains(tuples, s.Tuple()) || slices.Contains(addrs, s.Remote.Addr()) {
			s.Since, s.Live = time.Now(), true
			k.sockets[s.ID] = s
		}
	}
	return nil
}

// awaitReadings waits until the suspects were read n times more.
func (k *kernel) awaitReadings(t *testing.T, n int) {
	t.Helper()
	made := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.readings
	}
	want := made() + n
	for deadline := time.Now().Add(4 * patience); made() < want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d readings, want %d", made(), want)
		}
	}
}

// set puts a socket where snapshots find it.
func (k *kernel) set(s flow.Socket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sockets[s.ID] = s
}

// retransmits sets a socket and sends its record.
func (k *kernel) retransmits(s flow.Socket) {
	k.set(s)
	k.records <- tracer.Record{Suspect: &s}
}

func (k *kernel) change(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

type table struct {
	failures int           // of searches, before they succeed
	slow     time.Duration // what a search of all zones takes
	mu       sync.Mutex
	err      error // of lookups
	entries  map[flow.Tuple]flow.Translation
	asked    func() // what happens at every question; nil: nothing
	searched func() // what happens at every search for the connections to a backend; nil: nothing
}

// begin takes a question up. Like the kernel's table, it has no answer for a
// context that has ended.
func (t *table) begin(ctx context.Context) error {
	if t.asked != nil {
		t.asked()
	}
	return ctx.Err()
}

func (t *table) Lookup(ctx context.Context, tuple flow.Tuple) (flow.Translation, error) {
	if err := t.begin(ctx); err != nil {
		return flow.Translation{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return flow.Translation{}, t.err
	}
	entry, ok := t.entries[tuple]
	if !ok {
		return flow.Translation{}, conntrack.ErrNotFound
	}
	entry.Asked = tuple
	return entry, nil
}

// LookupAll finishes the question that has begun when the context ends, and asks no
// more.
func (t *table) LookupAll(ctx context.Context, tuples []flow.Tuple) []conntrack.Answer {
	answers := make([]conntrack.Answer, len(tuples))
	for n, tuple := range tuples {
		if answers[n].Err = ctx.Err(); answers[n].Err == nil {
			answers[n].Entry, answers[n].Err = t.Lookup(context.WithoutCancel(ctx), tuple)
		}
	}
	return answers
}

// fail has lookups fail from now on, or work again.
func (t *table) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

func (t *table) Search(ctx context.Context, tuple flow.Tuple) ([]flow.Translation, error) {
	time.Sleep(t.slow)
	entry, err := t.Lookup(ctx, tuple)
	return []flow.Translation{entry}, err
}

func (t *table) ByReplySource(ctx context.Context, addrs []netip.Addr, fn func(flow.Translation) error) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	if t.searched != nil {
		t.searched()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures > 0 {
		t.failures--
		return syscall.ENOBUFS
	}
	for _, entry := range t.entries {
		if slices.Contains(addrs, entry.Reply.Src.Addr()) {
			if err := fn(entry); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *table) Translates(ctx context.Context, addr netip.Addr) (bool, error) {
	if err := t.begin(ctx); err != nil {
		return false, err
	}
	time.Sleep(t.slow)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, entry := range t.entries {
		if entry.Orig.Dst.Addr() == addr {
			return true, nil
		}
	}
	return false, nil
}

// owners knows the processes that live; hidden are those that it is not shown.
type owners struct {
	living map[flow.Process]flow.Owner
	hidden bool
}

// echo is the process that holds what hung returns.
var echo = flow.Process{PID: 4711, Started: time.Hour}

// living returns owners that know one process.
func living(p flow.Process, o flow.Owner) owners {
	return owners{living: map[flow.Process]flow.Owner{p: o}}
}

func (o owners) Lookup(p flow.Process) (flow.Owner, error) {
	if o.hidden {
		return flow.Owner{}, owner.ErrHidden
	}
	if at, ok := o.living[p]; ok {
		return at, nil
	}
	return flow.Owner{}, owner.ErrGone
}

func (o owners) Check() error {
	if o.hidden {
		return owner.ErrHidden
	}
	return nil
}

// places knows which pod's a network namespace is.
type places map[uint32]string

func (p places) Pod(netns uint32) string { return p[netns] }

func (p places) Elsewhere(podUID string, netns uint32) bool {
	for at, uid := range p {
		if uid == podUID && at != netns {
			return p[netns] != podUID
		}
	}
	return false
}

func (p places) Knows(uint32) bool { return true }

func (p places) Refresh(time.Time) error { return nil }

type sink chan flow.Event

func (s sink) Publish(e flow.Event) { s <- e }

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
		LastAck: now.Add(-3 * time.Second), Timeouts: 1, Retransmits: 1, PacketsOut: 1, SendWindow: 65535, Pending: flow.TimerRetransmit,
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
