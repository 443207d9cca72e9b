package cluster_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const staleness = 30 * time.Second

var start = time.Date(2026, 3, 1, 14, 2, 0, 0, time.UTC)

// sec returns the time so many seconds into a test.
func sec(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

func ip(s string) netip.Addr       { return netip.MustParseAddr(s) }
func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
func ips(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, ip(s))
	}
	return out
}

// up returns a State whose source has synced at second 0.
func up() *cluster.State {
	s := cluster.New(cluster.Options{MaxStaleness: staleness, Node: "node-a"})
	s.SetHealth(true, "file /x", sec(0))
	return s
}

func server(n string) cluster.Pod {
	return cluster.Pod{
		Namespace: "default", Name: "server-" + n, UID: "uid-" + n, Node: "node-b",
		IPs: ips("192.168.136.2"), CreatedAt: sec(-3600),
	}
}

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

func endpoint(p cluster.Pod) cluster.Endpoint {
	return cluster.Endpoint{Addr: p.IPs[0], Node: p.Node, Pod: p.Name, PodUID: p.UID, Ready: true}
}

func bare(a string) cluster.Endpoint { return cluster.Endpoint{Addr: ip(a), Ready: true} }

func slice(name, service string, eps ...cluster.Endpoint) cluster.Slice {
	return cluster.Slice{Namespace: "default", Name: name, Service: service, Ports: []uint16{8000}, Endpoints: eps}
}

func db(ip string) cluster.Service {
	return cluster.Service{Namespace: "default", Name: "db", ClusterIPs: ips(ip), Ports: []uint16{8000}}
}

func nodeB() cluster.Node {
	return cluster.Node{Name: "node-b", Addrs: ips("172.18.0.3"), State: cluster.NodeReady}
}

func TestBackendOfAHostGoesByPort(t *testing.T) {
	s := up()
	node := nodeB()
	exporter := cluster.Pod{Namespace: "default", Name: "exporter", UID: "u-e", Node: "node-b", HostNetwork: true, IPs: ips("172.18.0.3")}
	s.Lookups().SetNode(node, sec(0))
	s.SetPod(exporter, sec(0))
	s.SetSlice(slice("kubernetes", "kubernetes", bare("172.18.0.3")), sec(0)) // port 8000
	metrics := with(slice("exporter", "exporter", endpoint(exporter)), func(sl *cluster.Slice) { sl.Ports = []uint16{9100} })
	metrics.Endpoints[0].Terminating = true
	s.SetSlice(metrics, sec(1))

	for port, want := range map[string]flow.BackendState{"8000": flow.BackendListed, "9100": flow.BackendTerminating, "10250": flow.BackendListed} {
		if b := s.Backend(addr("172.18.0.3:"+port), sec(1)); b.State != want || !b.HostNetwork || b.PodUID == "u-e" != (port == "9100") {
			t.Errorf("port %s: %+v, want %s", port, b, want)
		}
	}
	if _, ok := s.PodByIP(ip("172.18.0.3")); ok {
		t.Error("a host-network pod has its host's address")
	}
	s.SetSlice(with(metrics, func(sl *cluster.Slice) { sl.Endpoints = nil }), sec(2))
	s.DeletePod(exporter.Key(), "u-e", sec(3))
	for port, want := range map[string]flow.BackendState{"8000": flow.BackendListed, "9100": flow.BackendUnlisted, "10250": flow.BackendListed} {
		if b := s.Backend(addr("172.18.0.3:"+port), sec(3)); b.State != want {
			t.Errorf("port %s after: %+v, want %s", port, b, want)
		}
	}
}

func TestAddressReuse(t *testing.T) {
	s := up()
	one, two := server("1"), server("2")
	two.CreatedAt = sec(5)
	s.SetPod(one, sec(0))
	s.SetSlice(slice("db-1", "db", endpoint(one)), sec(0))
	s.SetPod(two, sec(6)) // seen before the first was seen to go
	if b := s.Backend(addr("192.168.136.2:8000"), sec(6)); b.Pod != "server-2" || b.Former != nil {
		t.Errorf("while both are in the list: %+v", b)
	}
	s.DeletePod(one.Key(), one.UID, sec(7)) // its slice is behind
	b := s.Backend(addr("192.168.136.2:8000"), sec(7))
	if b.State != flow.BackendListed || b.PodUID != "uid-2" || !b.CreatedAt.Equal(sec(5)) || len(b.Services) != 0 {
		t.Errorf("holder: %+v", b)
	}
	want := &cluster.Former{Namespace: "default", Pod: "server-1", UID: "uid-1", Node: "node-b", CreatedAt: one.CreatedAt, GoneAt: sec(7)}
	if diff := cmp.Diff(want, b.Former); diff != "" {
		t.Errorf("former: -want +got\n%s", diff)
	}
	s.SetPod(with(two, func(p *cluster.Pod) { p.Finished = true }), sec(8))
	if b := s.Backend(addr("192.168.136.2:8000"), sec(8)); b.State != flow.BackendDeleted || b.PodUID != "uid-2" {
		t.Errorf("both are gone: %+v", b)
	}
	if _, ok := s.PodByIP(ip("192.168.136.2")); ok {
		t.Error("a finished pod has its address")
	}
}

func TestFinishedPodDoesNotHideItsSuccessor(t *testing.T) {
	s := up()
	job, two := server("job"), server("2")
	job.Finished = true
	s.SetPod(two, sec(0))
	s.SetPod(job, sec(1)) // its record keeps the address
	if b := s.Backend(addr("192.168.136.2:8000"), sec(1)); b.State != flow.BackendListed || b.PodUID != "uid-2" {
		t.Errorf("%+v", b)
	}
}

func TestStaleSource(t *testing.T) {
	s := cluster.New(cluster.Options{MaxStaleness: staleness})
	one := server("1")
	s.SetPod(one, sec(0))
	check := func(at int, want flow.BackendState, since int, how string) {
		t.Helper()
		b := s.Backend(addr("192.168.136.2:8000"), sec(at))
		if b.State != want || !strings.Contains(b.How, how) || since >= 0 && !b.Since.Equal(sec(since)) {
			t.Errorf("at %d: %s since %s, %q", at, b.State, b.Since, b.How)
		}
	}
	check(0, flow.BackendUnknown, -1, "no cluster state was read yet")
	s.SetHealth(true, "api", sec(0))
	s.DeletePod(one.Key(), one.UID, sec(1))
	check(1000, flow.BackendDeleted, 1, "api") // a source without changes is not out of date
	s.SetHealth(false, "connection refused", sec(1000))
	s.SetHealth(false, "connection refused", sec(1020))
	check(1030, flow.BackendDeleted, 1, "")
	check(1031, flow.BackendUnknown, 1030, "out of date since 14:18:40: connection refused; last known: deleted, pod default/server-1")
	s.SetHealth(true, "api", sec(1040))
	check(1040, flow.BackendDeleted, 1, "")
}

func TestPodlessReadingsAreNotBelievedForEver(t *testing.T) {
	s := up()
	one, two := server("1"), server("2")
	two.IPs = ips("192.168.136.9")
	s.Replace(cluster.Objects{HasPods: true, Pods: []cluster.Pod{one, two}}, sec(0))
	s.Replace(cluster.Objects{HasPods: true, Pods: []cluster.Pod{two}}, sec(1))
	s.Replace(cluster.Objects{HasPods: true}, sec(2))
	for at, want := range map[int]flow.BackendState{32: flow.BackendDeleted, 33: flow.BackendUnknown} {
		if b := s.Backend(addr("192.168.136.2:8000"), sec(at)); b.State != want {
			t.Errorf("at %d: %s, want %s (%s)", at, b.State, want, b.How)
		}
	}
}

func TestDualStack(t *testing.T) {
	s := up()
	one := server("1")
	one.IPs = ips("192.168.136.2", "fd00::2")
	s.SetPod(one, sec(0))
	s.DeletePod(one.Key(), "", sec(1))
	for _, a := range []string{"192.168.136.2:1", "[fd00::2]:1"} {
		if b := s.Backend(addr(a), sec(1)); b.State != flow.BackendDeleted {
			t.Errorf("%s: %+v", a, b)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := cluster.New(cluster.Options{Memory: 2})
	s.SetHealth(true, "api", sec(0))
	for i, a := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		p := cluster.Pod{Namespace: "default", Name: a, UID: a, IPs: ips(a)}
		s.SetPod(p, sec(i))
		s.DeletePod(p.Key(), a, sec(i))
	}
	for a, want := range map[string]flow.BackendState{
		"10.0.0.1:1": flow.BackendUnknown, "10.0.0.2:1": flow.BackendDeleted, "10.0.0.3:1": flow.BackendDeleted,
	} {
		if b := s.Backend(addr(a), sec(3)); b.State != want {
			t.Errorf("%s: %s, want %s", a, b.State, want)
		}
	}
}
