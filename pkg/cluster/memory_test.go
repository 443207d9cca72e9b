package cluster_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// fill puts slices of 10 endpoints each, with their pods, into a State, as a
// source does: no two objects share a string.
func fill(s *cluster.State, n int) {
	for i := range n {
		service := fmt.Sprintf("service-%d", i)
		sl := cluster.Slice{
			Namespace: fmt.Sprintf("namespace-%d", i%100), Name: service + "-abcde", Service: strings.Clone(service), Ports: []uint16{8000},
		}
		for j := range 10 {
			k := i*10 + j
			p := cluster.Pod{
				Namespace: strings.Clone(sl.Namespace), Name: fmt.Sprintf("%s-6d4cf56db6-%05d", service, j),
				UID:  fmt.Sprintf("%08x-1111-2222-3333-444455556666", k),
				Node: fmt.Sprintf("node-%d.region.compute.internal", k%1000),
				IPs:  []netip.Addr{netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})}, CreatedAt: sec(0),
				Workload: strings.Clone(service), WorkloadKind: strings.Clone("Deployment"),
				Containers: []cluster.Container{{ID: strings.Repeat(fmt.Sprintf("%08x", k), 8), Name: strings.Clone("main")}},
			}
			s.SetPod(p, sec(0))
			sl.Endpoints = append(sl.Endpoints, cluster.Endpoint{
				Addr: p.IPs[0], Node: strings.Clone(p.Node), Pod: strings.Clone(p.Name), PodUID: strings.Clone(p.UID), Ready: true,
			})
		}
		s.SetSlice(sl, sec(0))
	}
	s.TakeChanged()
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// filled returns a State of n slices, and the heap that it takes.
func filled(n int) (*cluster.State, uint64) {
	before := heap()
	s := cluster.New(cluster.Options{Node: "node-7.region.compute.internal"})
	s.SetHealth(true, "api", sec(0))
	fill(s, n)
	return s, heap() - before
}

// TestMemory holds the share of this package in the agent's 60 MB with
// 10,000 endpoints, and 110 MB with 100,000.
func TestMemory(t *testing.T) {
	s, bytes := filled(1000)
	if bytes > 12<<20 {
		t.Errorf("10,000 endpoints take %d bytes", bytes)
	}
	runtime.KeepAlive(s)
}

func BenchmarkHeap(b *testing.B) {
	for _, slices := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(slices*10, "-endpoints"), func(b *testing.B) {
			for b.Loop() {
				s, bytes := filled(slices)
				b.ReportMetric(float64(bytes), "heap-bytes")
				b.ReportMetric(float64(bytes)/float64(slices*10), "heap-bytes/endpoint")
				runtime.KeepAlive(s)
			}
		})
	}
}

func BenchmarkBackend(b *testing.B) {
	s, _ := filled(10_000)
	at := netip.MustParseAddrPort("10.0.1.2:8000")
	b.ReportAllocs()
	for b.Loop() {
		if s.Backend(at, sec(0)).State != flow.BackendListed {
			b.Fatal("not listed")
		}
	}
}

func BenchmarkRemoval(b *testing.B) {
	s, _ := filled(10_000)
	p, _ := s.PodByIP(netip.MustParseAddr("10.0.1.2"))
	b.ReportAllocs()
	for b.Loop() {
		s.DeletePod(p.Key(), p.UID, sec(1))
		s.SetPod(p, sec(2))
	}
}

// BenchmarkNodesTurn is one reading in which every node has another state.
func BenchmarkNodesTurn(b *testing.B) {
	s, _ := filled(10_000)
	states := []cluster.NodeState{cluster.NodeReady, cluster.NodeUnreachable}
	nodes := make([]cluster.Node, 1000)
	for turn := 0; b.Loop(); turn++ {
		for n := range nodes {
			nodes[n] = cluster.Node{Name: fmt.Sprintf("node-%d.region.compute.internal", n), State: states[turn%2]}
		}
		s.Replace(cluster.Objects{Nodes: nodes, HasNodes: true}, sec(turn))
		if n := len(s.TakeChanged()); n != 100_000 {
			b.Fatalf("%d addresses are marked", n)
		}
	}
}
