package ledger

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// similar is the evidence on one of many flows of some pods to one Service,
// each with a conntrack entry of its own.
func similar(n int, now time.Time) diagnosis.Evidence {
	addr := func(third byte) netip.Addr { return netip.AddrFrom4([4]byte{10, third, byte(n % 50), 2}) }
	client := netip.AddrPortFrom(addr(1), uint16(10_000+n/50))
	service := cluster.ServiceAddress{Namespace: "shop", Name: "cart"}
	backend := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(n % 7)}), 8080)
	entry := flow.Tuple{Src: client, Dst: netip.MustParseAddrPort("10.96.0.10:80")}
	s := flow.Socket{
		ID: flow.ID(n + 1), NetNS: uint32(4_026_530_000 + n%50), Local: client, Remote: entry.Dst, State: flow.Established, Live: true,
		At: now.Add(time.Duration(n)), Since: now.Add(-time.Minute), LastAck: now.Add(-time.Duration(n) * time.Millisecond), Timeouts: 7, PacketsOut: 3,
		Pending: flow.TimerRetransmit, TimerAt: now.Add(time.Second), RTO: 12 * time.Second, RTOMax: 2 * time.Minute, Retries2: 15,
		PID: uint32(n % 50), Started: time.Hour, Comm: fmt.Sprint("worker-", n%50), FD: int32(n / 50), Unacknowledged: 4000,
	}
	pod := fmt.Sprint("web-", n%50)
	return diagnosis.Evidence{
		Now: now, StuckAfter: 10 * time.Second, Socket: s, Role: flow.Client, PodUID: "uid-" + pod,
		Local:     flow.Local{Addr: client, PID: s.PID, Comm: s.Comm, Namespace: "shop", Pod: pod, Workload: "web", WorkloadKind: "Deployment"},
		Peer:      flow.Peer{Class: flow.PeerService, Addr: entry.Dst, Namespace: "shop", Service: "cart"},
		Conntrack: diagnosis.Conntrack{At: now, Entry: &flow.Translation{Asked: entry, Orig: entry, Reply: flow.Tuple{Src: backend, Dst: client}, State: "ESTABLISHED", Timeout: time.Hour, Assured: true}},
		Backend:   cluster.Backend{Addr: backend, State: flow.BackendDeleted, Namespace: "shop", Pod: fmt.Sprint("cart-", n%7), Since: now.Add(-time.Minute), How: "its pod was deleted", Services: []string{"shop/cart"}},
		Service:   &service, Cluster: flow.Health{Source: flow.SourceCluster, Up: true, LastSync: now}, Related: true, Translates: true,
	}
}

// TestAFlowIsSmall: 100,000 flows that are reported take 120 MB at most, with
// all that keeps them in order.
func TestAFlowIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(Entry{}); got > 512 {
		t.Errorf("an entry takes %d bytes", got)
	}
	const flows, most = 10_000, 1200
	l := New(Options{StuckAfter: stuckAfter, MaxFlows: flows, KeepEnded: 10}, start)
	before := liveHeap()
	for n := range flows {
		e := similar(n, start.Add(time.Duration(n/256)*time.Millisecond)) // gathered in shares of 256
		l.Observe(e.Socket)
		l.Put(l.Entry(e.Socket.ID).Judge(e, diagnosis.Decide(&e)).Report(start, "found stuck: Retransmitting · StaleConntrack"))
	}
	each := (liveHeap() - before) / flows
	t.Logf("%d bytes a flow, of which %d are its entry", each, unsafe.Sizeof(Entry{}))
	if each > most {
		t.Errorf("%d bytes a flow, want %d at most", each, most)
	}
	runtime.KeepAlive(l)
}

// liveHeap returns the bytes that are reachable.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what unique let go of
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
