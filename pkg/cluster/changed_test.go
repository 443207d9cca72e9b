package cluster_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func signalled(s *cluster.State) bool {
	select {
	case <-s.Changed():
		return true
	default:
		return false
	}
}

func TestChanged(t *testing.T) {
	s := cluster.New(cluster.Options{})
	one, two := server("1"), server("2")
	two.IPs = ips("192.168.136.3")
	reading := func(pods []cluster.Pod, eps ...cluster.Endpoint) cluster.Objects {
		return cluster.Objects{
			HasPods: true, Pods: pods, HasSlices: true, Slices: []cluster.Slice{slice("db-1", "db", eps...)},
			HasServices: true, Services: []cluster.Service{db("10.96.0.10")},
		}
	}
	both := reading([]cluster.Pod{one, two}, endpoint(one), endpoint(two))
	check := func(when string, want ...string) {
		t.Helper()
		if got := signalled(s); got != (len(want) > 0) {
			t.Errorf("%s: signalled %v", when, got)
		}
		var got []string
		for a := range s.TakeChanged() {
			if a.IsValid() {
				got = append(got, a.String())
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b }), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got\n%s", when, diff)
		}
	}
	check("before")
	s.Replace(both, sec(0))
	check("first", "192.168.136.2", "192.168.136.3", "10.96.0.10")
	s.Replace(both, sec(1))
	check("the same")
	s.Replace(reading([]cluster.Pod{two}, endpoint(two)), sec(2))
	check("one went", "192.168.136.2", "10.96.0.10")
	s.SetSlice(with(slice("db-1", "db", endpoint(two)), func(sl *cluster.Slice) { sl.Service = "other" }), sec(3))
	check("slice given to another service", "192.168.136.3")

	s.SetHealth(true, "api", sec(4))
	if !signalled(s) || len(s.TakeChanged()) != 0 {
		t.Error("a change of the health gave no signal, or marked an address")
	}
	s.SetHealth(true, "api", sec(5))
	check("health as before")
}

func TestHealth(t *testing.T) {
	s := cluster.New(cluster.Options{MaxStaleness: staleness})
	check := func(want flow.Health) {
		t.Helper()
		want.Source = flow.SourceCluster
		if diff := cmp.Diff(want, s.Health(sec(99))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	check(flow.Health{Detail: "no cluster state was read yet"})
	s.SetHealth(true, "file /x", sec(1))
	check(flow.Health{Up: true, LastSync: sec(1), Detail: "file /x"})
	s.Replace(cluster.Objects{HasPods: true, Pods: []cluster.Pod{server("1")}}, sec(1))
	s.Replace(cluster.Objects{}, sec(2))
	check(flow.Health{Up: true, LastSync: sec(1), Detail: "file /x, which has listed no pods since 14:02:02"})
	s.SetHealth(false, "file /x: half a list", sec(3))
	check(flow.Health{LastSync: sec(1), Detail: "file /x: half a list, since 14:02:03"})
}

// TestConcurrentUse is for the race detector, and for a deadlock.
func TestConcurrentUse(t *testing.T) {
	s := up()
	one := server("1")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				s.SetPod(one, sec(i))
				s.SetSlice(slice("db-1", "db", endpoint(one)), sec(i))
				s.SetService(db("10.96.0.10"), sec(i))
				s.Backend(addr("192.168.136.2:8000"), sec(i))
				s.Service(addr("10.96.0.10:8000"))
				s.TakeChanged()
				s.SetSlice(slice("db-1", "db"), sec(i))
				s.DeletePod(one.Key(), one.UID, sec(i))
				s.DeleteService(db("10.96.0.10").Key(), sec(i))
			}
		})
	}
	wg.Wait()
	if b := s.Backend(addr("192.168.136.2:8000"), sec(200)); b.State != flow.BackendDeleted {
		t.Errorf("in the end: %+v", b)
	}
}
