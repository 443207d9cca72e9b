package inspector_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/inspector"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

const (
	stuckAfter = 400 * time.Millisecond
	patience   = 5 * time.Second
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
	swept     bool
	unowned   bool // a socket's owner shows only once a sweep has seen it
}

func newKernel() *kernel {
	return &kernel{records: make(chan tracer.Record, 100), sockets: map[flow.ID]flow.Socket{}}
}

func (k *kernel) Records() <-chan tracer.Record { return k.records }

func (k *kernel) Snapshot() ([]flow.Socket, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []flow.Socket
	for _, s := range k.sockets {
		s.At = time.Now()
		if k.unowned && !k.swept {
			s.PID, s.Comm = 0, ""
		}
		all = append(all, s)
	}
	return all, k.err
}

func (k *kernel) Sweep() ([]flow.Listener, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swept = true
	return k.listeners, k.err
}

func (k *kernel) Counters() (flow.KernelCounters, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return flow.KernelCounters{Lost: map[flow.LossStage]uint64{flow.StageRing: k.lost}}, nil
}

// SetGone makes suspects of the idle sockets, as a sweep would.
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
	mu      sync.Mutex
	entries map[flow.Tuple]flow.Translation
}

func (t *table) Lookup(_ context.Context, tuple flow.Tuple) (flow.Translation, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	entry, ok := t.entries[tuple]
	if !ok {
		return flow.Translation{}, conntrack.ErrNotFound
	}
	entry.Asked = tuple
	return entry, nil
}

func (t *table) Search(ctx context.Context, tuple flow.Tuple) ([]flow.Translation, error) {
	entry, err := t.Lookup(ctx, tuple)
	return []flow.Translation{entry}, err
}

func (t *table) ByReplySource(_ context.Context, addr netip.Addr, fn func(flow.Translation) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, entry := range t.entries {
		if entry.Reply.Src.Addr() == addr {
			if err := fn(entry); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *table) Translates(_ context.Context, addr netip.Addr) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, entry := range t.entries {
		if entry.Orig.Dst.Addr() == addr {
			return true, nil
		}
	}
	return false, nil
}

// owners knows one process.
type owners struct{ owner flow.Owner }

func (o owners) Lookup(pid uint32) (flow.Owner, error) {
	if pid != o.owner.PID {
		return flow.Owner{}, owner.ErrGone
	}
	return o.owner, nil
}

type sink chan flow.Event

func (s sink) Publish(e flow.Event) { s <- e }

// node is an agent on fake sources with one Service of one backend.
type node struct {
	t       *testing.T
	kernel  *kernel
	table   *table
	cluster *cluster.State
	store   *inspector.Store
	events  sink
	owners  inspector.Owners
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

// start runs an inspector; prepare may set the stage before it looks.
func start(t *testing.T, prepare func(*node)) *node {
	t.Helper()
	ours := flow.Tuple{Src: local, Dst: service}
	n := &node{
		t: t, kernel: newKernel(), cluster: cluster.New(cluster.Options{MaxStaleness: time.Minute, Node: "node-a"}), events: make(sink, 1000),
		table: &table{entries: map[flow.Tuple]flow.Translation{ours: {Orig: ours, Reply: flow.Tuple{Src: server, Dst: local}, State: "ESTABLISHED"}}},
		store: inspector.NewStore("node-a", "boot", 10),
	}
	n.replace(objects())
	n.cluster.TakeChanged()
	if prepare != nil {
		prepare(n)
	}
	i := inspector.New(inspector.Options{
		Store: n.store, Kernel: n.kernel, Cluster: n.cluster, Conntrack: n.table, Sinks: []inspector.Sink{n.events}, StuckAfter: stuckAfter,
		Owners: n.owners, ConntrackAge: time.Second,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- i.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	<-ready
	return n
}

// hung is a client socket that just saw its first RTO.
func hung() flow.Socket {
	now := time.Now()
	return flow.Socket{
		ID: 0x1f3a, NetNS: 7, Local: local, Remote: service, State: flow.Established, Live: true, At: now, Since: now,
		LastAck: now.Add(-3 * time.Second), Timeouts: 1, Retransmits: 1, PacketsOut: 1, SendWindow: 65535, Pending: flow.TimerRetransmit,
		Unacknowledged: 6, Una: 100, RTO: 400 * time.Millisecond, RTOMax: 2 * time.Minute, Retries2: 15, Tick: 4 * time.Millisecond,
		PID: 4711, Comm: "echo",
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

// quiet demands that no event comes for twice stuck-after.
func (n *node) quiet() {
	n.t.Helper()
	select {
	case e := <-n.events:
		n.t.Fatalf("event %s of %+v, want none", e.Type, e.Flow)
	case <-time.After(2 * stuckAfter):
	}
}

func verdict(e flow.Event) string { return string(e.Flow.Symptom) + " · " + string(e.Flow.Cause) }

func TestADeletedBackendIsReportedAtTheFirstRTO(t *testing.T) {
	n := start(t, nil)
	n.replace(without())
	began := time.Now()
	n.kernel.retransmits(hung())
	e := n.await(flow.EventStuck)
	if took := time.Since(began); took >= stuckAfter {
		t.Errorf("reported after %v, as if it were no matter that the backend is gone", took)
	}
	if got := verdict(e); got != "Retransmitting · StaleConntrack" {
		t.Error(got)
	}
	f := *e.Flow
	if diff := cmp.Diff(flow.Local{Addr: local, Namespace: "default", Pod: "client-1", Workload: "client", WorkloadKind: "Deployment", PID: 4711, Comm: "echo"}, f.Local, cmp.Comparer(sameAddr)); diff != "" {
		t.Errorf("local: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(flow.Peer{Class: flow.PeerService, Addr: service, Namespace: "default", Service: "server"}, f.Peer, cmp.Comparer(sameAddr)); diff != "" {
		t.Errorf("peer: -want +got\n%s", diff)
	}
	if f.Backend == nil || f.Backend.Addr != server || f.Backend.Pod != "server-1" || f.Backend.State != flow.BackendDeleted {
		t.Errorf("backend %+v", f.Backend)
	}
	if f.Role != flow.Client || !f.GivesUp.Known() || f.Unacknowledged != 6 || f.Node != "node-a" || f.BootID != "boot" {
		t.Errorf("finding %+v", f)
	}
	if n.store.Suspects() != 0 || len(n.store.Findings()) != 1 {
		t.Errorf("%d suspects, findings %v", n.store.Suspects(), n.store.Findings())
	}
}

func sameAddr(a, b netip.AddrPort) bool { return a == b }

func TestARemovalRejudgesItsSuspects(t *testing.T) {
	n := start(t, nil)
	n.kernel.retransmits(hung())
	time.Sleep(stuckAfter / 8) // the first RTO often comes before the API says so
	n.replace(without())
	if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · StaleConntrack" || e.Flow.Age() >= stuckAfter {
		t.Errorf("%s at the age of %v", verdict(e), e.Flow.Age())
	}
}

func TestAListedBackendIsReportedWhenItIsDue(t *testing.T) {
	n := start(t, nil)
	n.kernel.retransmits(hung())
	e := n.await(flow.EventStuck)
	if verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Age() < stuckAfter {
		t.Errorf("%s at the age of %v, want PeerUnreachable not before %v", verdict(e), e.Flow.Age(), stuckAfter)
	}
}

func TestBackendMovesUnderAFlow(t *testing.T) {
	n := start(t, nil)
	n.kernel.retransmits(hung())
	n.await(flow.EventStuck)
	n.replace(without())
	if e := n.await(flow.EventRevised); verdict(e) != "Retransmitting · StaleConntrack" {
		t.Errorf("deleted: %s", verdict(e))
	}
	n.replace(objects())
	if e := n.await(flow.EventRevised); verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Backend.State != flow.BackendListed {
		t.Errorf("listed again: %s, backend %s", verdict(e), e.Flow.Backend.State)
	}
	n.quiet()
}

func TestProgressBeforeItIsDueIsNoFinding(t *testing.T) {
	n := start(t, nil)
	s := hung()
	n.kernel.retransmits(s)
	s.Live, s.Una = false, 106
	n.kernel.set(s)
	n.quiet()
	if len(n.store.Findings())+len(n.store.Ended()) != 0 {
		t.Errorf("findings %v, ended %v", n.store.Findings(), n.store.Ended())
	}
}

func TestRecovery(t *testing.T) {
	n := start(t, nil)
	s := hung()
	n.kernel.retransmits(s)
	n.await(flow.EventStuck)
	s.Live, s.Una = false, 106
	n.kernel.set(s)
	e := n.await(flow.EventRecovered)
	if !strings.Contains(e.Flow.Sentence, "The last verdict was") {
		t.Errorf("told as if it still were the case: %s", e.Flow.Sentence)
	}
	if e.Flow.Outcome != flow.Recovered || !e.Flow.Ended() {
		t.Errorf("outcome %q, ended %v", e.Flow.Outcome, e.Flow.EndedAt)
	}
	if ended := n.store.Ended(); len(ended) != 1 || len(n.store.Findings()) != 0 {
		t.Errorf("ended %v, live %v", ended, n.store.Findings())
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		end     flow.End
		outcome flow.Outcome
		err     string
	}{
		{"time-out", flow.End{Err: int(syscall.ETIMEDOUT), Unacknowledged: 6, Unsent: 4}, flow.TimedOut, "ETIMEDOUT"},
		{"reset", flow.End{Err: int(syscall.ECONNRESET), ResetReceived: true, Unacknowledged: 6}, flow.Reset, "ECONNRESET"},
		{"close", flow.End{Unacknowledged: 6}, flow.Closed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, nil)
			s := hung()
			n.kernel.retransmits(s)
			n.await(flow.EventStuck)
			c.end.ID, c.end.At, c.end.From = s.ID, time.Now(), flow.Established
			n.kernel.change(func() { clear(n.kernel.sockets) })
			n.kernel.records <- tracer.Record{End: &c.end}
			f := n.await(flow.EventEnded).Flow
			if f.Outcome != c.outcome || f.Err != c.err || f.Unsent != c.end.Unsent || f.Unacknowledged != c.end.Unacknowledged {
				t.Errorf("%s %s, %d + %d bytes", f.Outcome, f.Err, f.Unsent, f.Unacknowledged)
			}
			n.quiet()
		})
	}
}

func TestATimeOutBeforeItIsDueIsTold(t *testing.T) {
	n := start(t, nil)
	s := hung()
	// Both records wait when the inspector looks: it died before it was examined.
	n.kernel.records <- tracer.Record{Suspect: &s}
	n.kernel.records <- tracer.Record{End: &flow.End{ID: s.ID, At: time.Now(), Err: int(syscall.ETIMEDOUT), Unacknowledged: 6}}
	if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Local.Pod != "client-1" {
		t.Errorf("%s of %+v", verdict(e), e.Flow.Local)
	}
	if f := n.await(flow.EventEnded).Flow; f.Outcome != flow.TimedOut {
		t.Errorf("outcome %q", f.Outcome)
	}
}

func TestAFailedConnectIsNoEvent(t *testing.T) {
	n := start(t, nil)
	s := hung()
	s.State, s.Unacknowledged = flow.SynSent, 0
	n.kernel.records <- tracer.Record{Suspect: &s}
	n.kernel.records <- tracer.Record{End: &flow.End{
		ID: s.ID, At: time.Now(), From: flow.SynSent, Err: int(syscall.ECONNREFUSED), SoftErr: int(syscall.ECONNREFUSED),
	}}
	n.quiet()
}

func TestAnEndThatWasNotSeen(t *testing.T) {
	n := start(t, nil)
	n.kernel.retransmits(hung())
	n.await(flow.EventStuck)
	n.kernel.change(func() { clear(n.kernel.sockets) })
	if f := n.await(flow.EventEnded).Flow; f.Outcome != "" || !f.Ended() {
		t.Errorf("outcome %q, want none: nobody saw how it ended", f.Outcome)
	}
}

func TestStuckBeforeTheAgentCame(t *testing.T) {
	n := start(t, func(n *node) {
		s := hung()
		s.Since = time.Now().Add(-time.Minute)
		n.kernel.set(s)
	})
	if e := n.await(flow.EventStuck); e.Flow.Age() < time.Minute {
		t.Errorf("age %v, want the true one", e.Flow.Age())
	}
}

func TestALostRecordIsMadeUpFor(t *testing.T) {
	// Nothing but the loss makes it look: the removal is old.
	n := start(t, func(n *node) {
		n.replace(without())
		n.cluster.TakeChanged()
		<-n.cluster.Changed()
	})
	n.kernel.set(hung())
	began := time.Now()
	n.kernel.change(func() { n.kernel.lost++ })
	n.await(flow.EventStuck)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("found after %v, by a regular pass", took)
	}
}

func TestAFailedSnapshotEndsNothing(t *testing.T) {
	n := start(t, nil)
	n.kernel.retransmits(hung())
	n.await(flow.EventStuck)
	n.kernel.change(func() { n.kernel.err = syscall.ENOMEM; clear(n.kernel.sockets) })
	e := n.await(flow.EventDegraded)
	if e.Source != string(flow.SourceKernel) {
		t.Errorf("degraded: %s", e.Source)
	}
	time.Sleep(2500 * time.Millisecond) // two rounds that would each count as an absence
	n.kernel.set(hung())
	n.kernel.change(func() { n.kernel.err = nil })
	n.await(flow.EventRestored)
	if len(n.store.Findings()) != 1 {
		t.Errorf("findings %v", n.store.Findings())
	}
}

func TestRoleAndMutedFlows(t *testing.T) {
	outside := netip.MustParseAddrPort("203.0.113.9:50123")
	mine := netip.AddrPortFrom(local.Addr(), 8443)
	n := start(t, func(n *node) {
		n.kernel.listeners = []flow.Listener{{NetNS: 7, Local: netip.MustParseAddrPort("[::]:8443")}}
	})
	s := hung()
	s.Local, s.Remote = mine, outside
	n.kernel.retransmits(s)
	n.quiet()
	all := n.store.Findings()
	if len(all) != 1 || all[0].Role != flow.Server || all[0].Peer.Class != flow.PeerExternal || all[0].Mute != flow.MuteExternalClient {
		t.Errorf("findings %+v, want one muted server flow", all)
	}
}

func TestRole(t *testing.T) {
	mine := netip.AddrPortFrom(local.Addr(), 8443)
	for _, c := range []struct {
		name     string
		listener string
		netns    uint32
		accepted bool
		want     flow.Role
	}{
		{"a listener on every address", "[::]:8443", 7, false, flow.Server},
		{"a listener on this address", "192.168.75.2:8443", 7, false, flow.Server},
		{"a listener on another address", "192.168.75.3:8443", 7, false, flow.Client},
		{"a listener on another port", "[::]:8444", 7, false, flow.Client},
		{"a listener in another namespace", "[::]:8443", 8, false, flow.Client},
		{"accepted, the listener closed since", "", 7, true, flow.Server},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, func(n *node) {
				if c.listener != "" {
					n.kernel.listeners = []flow.Listener{{NetNS: c.netns, Local: netip.MustParseAddrPort(c.listener)}}
				}
			})
			s := hung()
			s.Local, s.Remote, s.Accepted = mine, server, c.accepted
			n.kernel.retransmits(s)
			e := n.await(flow.EventStuck)
			if e.Flow.Role != c.want {
				t.Errorf("role %s, want %s", e.Flow.Role, c.want)
			}
			if c.want == flow.Server && e.Flow.Peer.Service != "" {
				t.Errorf("the Service %s is the peer of an accepted connection", e.Flow.Peer.Service)
			}
		})
	}
}

func TestThePeerOfAnAcceptedConnectionIsWhoConnected(t *testing.T) {
	// The client comes from outside; SNAT hides it behind a node's address.
	mine, behind := netip.AddrPortFrom(local.Addr(), 8443), netip.MustParseAddrPort("172.18.0.3:50123")
	outside := netip.MustParseAddrPort("203.0.113.9:50123")
	n := start(t, func(n *node) {
		n.table.entries[flow.Tuple{Src: mine, Dst: behind}] = flow.Translation{
			Orig: flow.Tuple{Src: outside, Dst: mine}, Reply: flow.Tuple{Src: mine, Dst: behind},
		}
	})
	s := hung()
	s.Local, s.Remote, s.Accepted = mine, behind, true
	n.kernel.retransmits(s)
	n.quiet()
	if all := n.store.Findings(); len(all) != 1 || all[0].Peer.Class != flow.PeerExternal || all[0].Mute != flow.MuteExternalClient {
		t.Errorf("findings %+v, want one of an external client, muted", all)
	}
}

func TestTheOwnerComesWithTheReport(t *testing.T) {
	n := start(t, func(n *node) {
		n.kernel.unowned = true
		n.owners = owners{flow.Owner{PID: 4711, Comm: "echo"}}
	})
	n.kernel.change(func() { n.kernel.swept = false })
	s := hung()
	s.PID, s.Comm = 0, ""
	n.kernel.records <- tracer.Record{Suspect: &s}
	n.kernel.set(hung())
	if e := n.await(flow.EventStuck); e.Flow.Local.PID != 4711 || e.Flow.Local.Comm != "echo" {
		t.Errorf("owner %+v", e.Flow.Local)
	}
}

func TestADeadOwnerIsNotNamed(t *testing.T) {
	for name, process := range map[string]flow.Owner{
		"it is gone":                      {PID: 1},
		"its number is another process's": {PID: 4711, Comm: "postgres", PodUID: "uid-2"},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(n *node) { n.owners = owners{process} })
			n.kernel.retransmits(hung())
			if e := n.await(flow.EventStuck); e.Flow.Local.PID != 0 || e.Flow.Local.Comm != "" {
				t.Errorf("owner %+v", e.Flow.Local)
			}
		})
	}
}

func TestLaterReadingsShow(t *testing.T) {
	n := start(t, nil)
	s := hung()
	n.kernel.retransmits(s)
	n.await(flow.EventStuck)
	s.Timeouts, s.RTO = 7, 12*time.Second
	n.kernel.set(s)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if f, ok := n.store.Finding(s.ID); ok && f.Timeouts == 7 && f.RTO == 12*time.Second {
			return
		}
	}
	t.Error("the store shows the first reading only")
}

func TestABackendsStateAloneIsARevision(t *testing.T) {
	down := func(o cluster.Objects) cluster.Objects {
		o.Nodes[1].State = cluster.NodeNotReady
		return o
	}
	n := start(t, func(n *node) { n.replace(down(objects())) })
	n.kernel.retransmits(hung())
	n.await(flow.EventStuck)
	evicted := down(objects())
	evicted.Pods[0].Terminating = true
	evicted.Slices[0].Endpoints[0].Terminating, evicted.Slices[0].Endpoints[0].Ready = true, false
	n.replace(evicted)
	e := n.await(flow.EventRevised)
	if verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Backend.State != flow.BackendTerminating {
		t.Errorf("%s, backend %s", verdict(e), e.Flow.Backend.State)
	}
}

func TestConntrackIsAskedAgain(t *testing.T) {
	n := start(t, nil)
	n.replace(without())
	n.kernel.retransmits(hung())
	n.await(flow.EventStuck)
	n.table.mu.Lock()
	clear(n.table.entries) // the operator deleted the entry
	n.table.mu.Unlock()
	if e := n.await(flow.EventRevised); e.Flow.Cause == flow.StaleConntrack {
		t.Errorf("%s although the entry is gone", verdict(e))
	}
}

func TestOnlyAFINOutstandingIsMuted(t *testing.T) {
	n := start(t, nil)
	n.replace(without())
	s := hung()
	s.State, s.FinOutstanding, s.Unacknowledged, s.Orphan, s.PID = flow.LastAck, true, 0, true, 0
	n.kernel.retransmits(s)
	n.quiet()
	if all := n.store.Findings(); len(all) != 1 || all[0].Mute != flow.MuteClosing {
		t.Errorf("findings %+v, want one muted closing flow", all)
	}
}

func TestAStaleSourceIsTold(t *testing.T) {
	n := start(t, nil)
	n.cluster.SetHealth(false, "the file cannot be read", time.Now().Add(-2*time.Minute))
	if e := n.await(flow.EventDegraded); e.Source != string(flow.SourceCluster) {
		t.Errorf("degraded: %s", e.Source)
	}
	n.replace(objects())
	n.await(flow.EventRestored)
}

// quietSocket is hung's connection with nothing outstanding.
func quietSocket() flow.Socket {
	s := hung()
	s.Timeouts, s.Retransmits, s.PacketsOut, s.Unacknowledged, s.Pending, s.Live = 0, 0, 0, 0, flow.TimerNone, false
	return s
}

func TestAnIdleFlowIsAtRiskAtOnceAndStuckLater(t *testing.T) {
	n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
	n.replace(without())
	began := time.Now()
	e := n.await(flow.EventAtRisk)
	if took := time.Since(began); took > 2*time.Second || verdict(e) != "HalfOpen · StaleConntrack" {
		t.Errorf("%s after %v", verdict(e), took)
	}
	if got := n.store.Findings(); len(got) != 1 || got[0].Mute != flow.MuteAtRisk {
		t.Errorf("findings %+v, want one at risk", got)
	}
	select {
	case e = <-n.events:
	case <-time.After(8 * time.Second):
		t.Fatal("it is never called stuck")
	}
	if age := time.Since(began); e.Type != flow.EventStuck || verdict(e) != "HalfOpen · StaleConntrack" || age < 5*time.Second {
		t.Errorf("%s %s after %v, want stuck once no FIN can come any more", e.Type, verdict(e), age)
	}
}

func TestAnIdleFlowWhoseBackendComesBackIsForgotten(t *testing.T) {
	n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
	n.replace(without())
	n.await(flow.EventAtRisk)
	n.replace(objects())
	n.quiet()
	if got := n.store.Findings(); len(got) != 0 {
		t.Errorf("findings %+v", got)
	}
}

func TestAnIdleFlowOfAnUnlistedBackendIsNoFinding(t *testing.T) {
	n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
	o := objects()
	o.Slices[0].Endpoints = nil // its pod lives: relabelled
	n.replace(o)
	n.quiet()
	if got := n.store.Findings(); len(got) != 0 {
		t.Errorf("findings %+v", got)
	}
}

func TestConntrackMissing(t *testing.T) {
	n := start(t, nil) // it has seen an entry of the Service at its start
	n.table.mu.Lock()
	clear(n.table.entries)
	n.table.mu.Unlock()
	n.kernel.retransmits(hung())
	if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · ConntrackMissing" {
		t.Error(verdict(e))
	}
}

func TestNoEntryWhereNothingIsTranslatedIsUnknown(t *testing.T) {
	n := start(t, func(n *node) { clear(n.table.entries) })
	n.kernel.retransmits(hung())
	if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · Unknown" {
		t.Error(verdict(e))
	}
}

func TestAnEntryThatOutlivedItsFlowIsStale(t *testing.T) {
	n := start(t, nil)
	n.replace(without())
	s := hung()
	n.kernel.retransmits(s)
	n.await(flow.EventStuck)
	n.kernel.change(func() { clear(n.kernel.sockets) })
	n.kernel.records <- tracer.Record{End: &flow.End{ID: s.ID, At: time.Now(), Err: int(syscall.ETIMEDOUT), Unacknowledged: 6}}
	n.await(flow.EventEnded)
	var stale []flow.StaleEntry
	for deadline := time.Now().Add(20 * time.Second); len(stale) == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		stale = n.store.Stale()
	}
	if len(stale) != 1 || stale[0].Client != local || stale[0].Backend != server || stale[0].Pod != "server-1" {
		t.Errorf("stale entries %+v, want the one of the flow that ended", stale)
	}
}
