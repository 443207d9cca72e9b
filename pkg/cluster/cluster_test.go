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

// step is one change and what must be true of the backend after it.
type step struct {
	what  string
	do    func(s *cluster.State, at time.Time)
	want  flow.BackendState
	since int    // second; -1: not looked at
	how   string // part of How
}

func TestBackendTransitions(t *testing.T) {
	one := server("1")
	key := one.Key()
	terminating := with(one, func(p *cluster.Pod) { p.Terminating = true })
	finished := with(one, func(p *cluster.Pod) { p.Finished = true })
	setPod := func(p cluster.Pod) func(*cluster.State, time.Time) {
		return func(s *cluster.State, at time.Time) { s.SetPod(p, at) }
	}
	setSlice := func(sl cluster.Slice) func(*cluster.State, time.Time) {
		return func(s *cluster.State, at time.Time) { s.SetSlice(sl, at) }
	}
	deletePod := func(s *cluster.State, at time.Time) { s.DeletePod(key, "uid-1", at) }
	listed := func(s *cluster.State, at time.Time) {
		s.SetPod(one, at)
		s.SetSlice(slice("db-1", "db", endpoint(one)), at)
	}
	emptied := setSlice(slice("db-1", "db"))
	other := cluster.Pod{Namespace: "default", Name: "other", UID: "uid-other", IPs: ips("192.168.136.9"), CreatedAt: sec(-10)}

	host := with(one, func(p *cluster.Pod) { p.HostNetwork, p.IPs = true, ips("192.168.136.2") })
	hostNode := with(nodeB(), func(n *cluster.Node) { n.Addrs = ips("192.168.136.2") })
	hostListed := func(s *cluster.State, at time.Time) {
		s.SetNode(hostNode, at)
		s.SetPod(host, at)
		s.SetSlice(slice("db-1", "db", endpoint(host)), at)
	}
	pods := func(list ...cluster.Pod) cluster.Objects { return cluster.Objects{Pods: list, HasPods: true} }
	replace := func(o cluster.Objects) func(*cluster.State, time.Time) {
		return func(s *cluster.State, at time.Time) { s.Replace(o, at) }
	}

	tests := map[string][]step{
		"nothing known": {
			{"asked", func(*cluster.State, time.Time) {}, flow.BackendUnknown, -1, "no record"},
		},
		"graceful deletion, then listed again": {
			{"listed", listed, flow.BackendListed, 0, "pod default/server-1 (uid uid-1) is in the list"},
			{"unchanged", listed, flow.BackendListed, 0, ""},
			{"deletionTimestamp", setPod(terminating), flow.BackendTerminating, 2, "terminating"},
			{"left its slice", emptied, flow.BackendTerminating, 2, ""},
			{"went", deletePod, flow.BackendDeleted, 4, "pod default/server-1 (uid uid-1) was in the list until 14:02:04, file /x"},
			{"was there after all", listed, flow.BackendListed, 5, ""},
		},
		"forced deletion": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"went, slice behind", deletePod, flow.BackendDeleted, 1, "until 14:02:01"},
			{"left its slice", emptied, flow.BackendDeleted, 1, ""},
		},
		"forced deletion, slice first": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"left its slice", emptied, flow.BackendUnlisted, 1, "left default/db at 14:02:01"},
			{"went", deletePod, flow.BackendDeleted, 2, ""},
		},
		"forced deletion of a terminating pod": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"deletionTimestamp", setPod(terminating), flow.BackendTerminating, 1, ""},
			{"deletionTimestamp moves, and a container ends", setPod(with(terminating, func(p *cluster.Pod) { p.Workload = "server" })), flow.BackendTerminating, 1, ""},
			{"went", deletePod, flow.BackendDeleted, 3, ""},
		},
		"the slice says terminating first": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"condition", setSlice(slice("db-1", "db", with(endpoint(one), func(e *cluster.Endpoint) { e.Terminating = true }))), flow.BackendTerminating, 1, ""},
			{"deletionTimestamp", setPod(terminating), flow.BackendTerminating, 1, ""},
		},
		"same name, another UID": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"replaced", setPod(with(other, func(p *cluster.Pod) { p.Name = "server-1" })), flow.BackendDeleted, 1, "uid-1"},
		},
		"late deletion of an earlier pod": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"another UID went", func(s *cluster.State, at time.Time) { s.DeletePod(key, "uid-0", at) }, flow.BackendListed, 0, ""},
		},
		"finished": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"Succeeded, still listed", setPod(finished), flow.BackendDeleted, 1, "finished, seen at 14:02:01"},
			{"left its slice", emptied, flow.BackendDeleted, 1, ""},
			{"record collected", deletePod, flow.BackendDeleted, 1, ""},
		},
		"finished when first seen": {
			{"finished", setPod(finished), flow.BackendDeleted, 0, "finished"},
		},
		"relabelled": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"taken out", emptied, flow.BackendUnlisted, 1, "left default/db at 14:02:01, and is in the list"},
			{"put back", setSlice(slice("db-1", "db", endpoint(one))), flow.BackendListed, 2, ""},
			{"taken out again", emptied, flow.BackendUnlisted, 3, ""},
		},
		"service deleted with its slice": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"slice deleted", func(s *cluster.State, at time.Time) {
				s.DeleteSlice(cluster.Key{Namespace: "default", Name: "db-1"}, at)
			}, flow.BackendUnlisted, 1, "left default/db"},
		},
		"moved between slices": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"in both", setSlice(slice("db-2", "db", endpoint(one))), flow.BackendListed, 0, ""},
			{"in the second", emptied, flow.BackendListed, 0, ""},
			{"in none", setSlice(slice("db-2", "db")), flow.BackendUnlisted, 3, ""},
		},
		"no targetRef": {
			{"listed", setSlice(slice("db-1", "db", bare("192.168.136.2"))), flow.BackendListed, 0, ""},
			{"left", emptied, flow.BackendUnlisted, 1, "an endpoint without a pod left default/db"},
		},
		"no targetRef, listed again by nobody though a pod had the address": {
			{"pod", setPod(one), flow.BackendListed, 0, ""},
			{"went", deletePod, flow.BackendDeleted, 1, ""},
			{"listed by hand", setSlice(slice("db-1", "db", bare("192.168.136.2"))), flow.BackendListed, 2, ""},
			{"left", emptied, flow.BackendUnlisted, 3, ""},
		},
		"a listing without targetRef that ended before the pod came": {
			{"listed", setSlice(slice("db-1", "db", bare("192.168.136.2"))), flow.BackendListed, 0, ""},
			{"left", emptied, flow.BackendUnlisted, 1, ""},
			{"pod", setPod(one), flow.BackendListed, 2, ""},
		},
		"two slices that disagree": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"went, slice behind", deletePod, flow.BackendDeleted, 1, ""},
			{"listed by hand too", setSlice(slice("db-2", "db", bare("192.168.136.2"))), flow.BackendListed, 2, ""},
			{"the first again", setSlice(slice("db-1", "db", endpoint(one), endpoint(other))), flow.BackendListed, 2, ""},
		},
		"a reading that comes out without nodes": {
			{"listed", hostListed, flow.BackendListed, 0, ""},
			{"pod went", replace(pods(other)), flow.BackendUnlisted, 1, ""},
			{"no nodes", replace(cluster.Objects{HasNodes: true}), flow.BackendUnlisted, 1, ""},
			{"another node", replace(cluster.Objects{HasNodes: true, Nodes: []cluster.Node{{Name: "node-c"}}}), flow.BackendDeleted, 3, ""},
		},
		"no service": {
			{"headless or bare", setPod(one), flow.BackendListed, 0, "is in the list"},
			{"terminating", setPod(terminating), flow.BackendTerminating, 1, ""},
			{"went", deletePod, flow.BackendDeleted, 2, ""},
		},
		"address given up by a living pod": {
			{"listed", setPod(one), flow.BackendListed, 0, ""},
			{"another address", setPod(with(one, func(p *cluster.Pod) { p.IPs = ips("192.168.136.7") })), flow.BackendUnlisted, 1, "gave its address up"},
			{"went", deletePod, flow.BackendDeleted, 2, ""},
		},
		"host network": {
			{"listed", hostListed, flow.BackendListed, 0, ""},
			{"went, slice behind", deletePod, flow.BackendUnlisted, 1, "its address is its host's"},
			{"left its slice", emptied, flow.BackendUnlisted, 1, ""},
			{"node went too", func(s *cluster.State, at time.Time) { s.DeleteNode("node-b", at) }, flow.BackendDeleted, 3, ""},
			{"node back", func(s *cluster.State, at time.Time) { s.SetNode(hostNode, at) }, flow.BackendUnlisted, 1, ""},
		},
		"host network, nodes not spoken of": {
			{"listed", func(s *cluster.State, at time.Time) {
				s.SetPod(host, at)
				s.SetSlice(slice("db-1", "db", endpoint(host)), at)
			}, flow.BackendListed, 0, ""},
			{"finished", setPod(with(host, func(p *cluster.Pod) { p.Finished = true })), flow.BackendUnlisted, 1, ""},
			{"went", deletePod, flow.BackendUnlisted, 1, ""},
			{"left its slice", emptied, flow.BackendUnlisted, 1, ""},
		},
		"slice names a pod that was never seen": {
			{"listed", func(s *cluster.State, at time.Time) {
				s.SetPod(other, at)
				s.SetSlice(slice("db-1", "db", endpoint(one)), at)
			}, flow.BackendUnknown, -1, "never seen"},
			{"seen", setPod(one), flow.BackendListed, 0, ""},
		},
		"asked for, and not found": {
			{"listed", setSlice(slice("db-1", "db", endpoint(one))), flow.BackendListed, 0, ""},
			{"NotFound", deletePod, flow.BackendDeleted, 1, "was not found at 14:02:01"},
		},
		"readings without pods": {
			{"slices only", replace(cluster.Objects{HasSlices: true, Slices: []cluster.Slice{slice("db-1", "db", endpoint(one))}}), flow.BackendListed, 0, ""},
			{"left", replace(cluster.Objects{HasSlices: true}), flow.BackendUnknown, 1, "does not speak of pods"},
		},
		"a reading that comes out without pods": {
			{"listed", replace(cluster.Objects{HasPods: true, Pods: []cluster.Pod{one}, HasSlices: true, Slices: []cluster.Slice{slice("db-1", "db", endpoint(one))}}), flow.BackendListed, 0, ""},
			{"empty", replace(cluster.Objects{HasPods: true, HasSlices: true, Slices: []cluster.Slice{slice("db-1", "db", endpoint(one))}}), flow.BackendListed, 0, ""},
			{"slices empty too", replace(cluster.Objects{HasPods: true, HasSlices: true}), flow.BackendUnknown, 2, "does not speak of pods since 14:02:01"},
			{"whole again", replace(pods(other)), flow.BackendDeleted, 3, ""},
		},
		"readings": {
			{"one", replace(pods(one, other)), flow.BackendListed, 0, ""},
			{"same", replace(pods(one, other)), flow.BackendListed, 0, ""},
			{"absent", replace(pods(other)), flow.BackendDeleted, 2, ""},
			{"there again", replace(pods(one, other)), flow.BackendListed, 3, ""},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			s := up()
			for i, st := range steps {
				st.do(s, sec(i))
				b := s.Backend(addr("[::ffff:192.168.136.2]:8000"), sec(i))
				if b.State != st.want {
					t.Fatalf("%s: %s, want %s (%s)", st.what, b.State, st.want, b.How)
				}
				if st.since >= 0 && !b.Since.Equal(sec(st.since)) {
					t.Errorf("%s: since %s, want %s", st.what, b.Since, sec(st.since))
				}
				if !strings.Contains(b.How, st.how) {
					t.Errorf("%s: how %q, want %q in it", st.what, b.How, st.how)
				}
			}
		})
	}
}

func TestBackendOfAHostGoesByPort(t *testing.T) {
	s := up()
	node := nodeB()
	exporter := cluster.Pod{Namespace: "default", Name: "exporter", UID: "u-e", Node: "node-b", HostNetwork: true, IPs: ips("172.18.0.3")}
	s.SetNode(node, sec(0))
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
		t.Errorf("both dead: %+v", b)
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
	check(1000, flow.BackendDeleted, 1, "api") // not being told is not being stale
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
