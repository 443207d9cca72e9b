package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestNoNamespaceTakesAnothersMemory: the past is bounded, and a namespace with
// many entries makes room among its own.
func TestNoNamespaceTakesAnothersMemory(t *testing.T) {
	s := cluster.New(cluster.Options{Memory: 100})
	s.SetHealth(true, "api", sec(0))
	one := server("1")
	s.SetPod(one, sec(0))
	s.DeletePod(one.Key(), one.UID, sec(1))
	for n := range 1000 {
		a := fmt.Sprintf("10.0.%d.%d", n/250, n%250)
		p := cluster.Pod{Namespace: "attacker", Name: a, UID: a, IPs: ips(a)}
		s.SetPod(p, sec(2))
		s.SetSlice(says(endpoint(p), at("192.168.136.2", endpoint(p))), sec(2))
		s.DeletePod(p.Key(), a, sec(3))
	}
	s.SetSlice(says(), sec(3))
	if b := s.Backend(addr("192.168.136.2:8000"), sec(4)); b.State != flow.BackendDeleted || b.Pod != "server-1" {
		t.Errorf("%s: %s", b.State, b.How)
	}
	if b := s.Backend(addr("10.0.3.249:8000"), sec(4)); b.State != flow.BackendDeleted {
		t.Errorf("the attacker's last: %s: %s", b.State, b.How)
	}
}

// TestManyEndpointsAtOneAddress: so many endpoints at one address that a step which
// looks at all of them would take minutes. The test has no clock of its own:
// the limit of the test run is far below that.
func TestManyEndpointsAtOneAddress(t *testing.T) {
	const endpoints, slicesOf = 40_000, 1000
	for name, endpointOf := range map[string]func(int) cluster.Endpoint{
		"of as many pods": func(n int) cluster.Endpoint {
			return at("192.168.136.2", cluster.Endpoint{Pod: fmt.Sprint("p", n), PodUID: fmt.Sprint("u", n), Ready: true})
		},
		"of one pod": func(int) cluster.Endpoint { return at("192.168.136.2", endpoint(attacker())) },
		"of no pod":  func(int) cluster.Endpoint { return bare("192.168.136.2") },
	} {
		t.Run(name, func(t *testing.T) {
			s := up()
			one := server("1")
			s.SetPod(one, sec(0))
			s.SetSlice(slice("db-1", "db", endpoint(one)), sec(0))
			steps := func(at time.Time, listed bool) {
				for n := range endpoints / slicesOf {
					sl := says()
					sl.Name = fmt.Sprint("evil-", n)
					for m := range slicesOf {
						if listed {
							sl.Endpoints = append(sl.Endpoints, endpointOf(n*slicesOf+m))
						}
					}
					s.SetSlice(sl, at)
					s.Backend(addr("192.168.136.2:8000"), at)
				}
			}
			steps(sec(1), true)
			if b := s.Backend(addr("192.168.136.2:8000"), sec(2)); b.State != flow.BackendListed || b.Pod != "server-1" || len(b.Services) != 1 {
				t.Errorf("%+v", b)
			}
			for n := range 10_000 {
				s.Backend(addr("192.168.136.2:8000"), sec(n))
				s.Class(addr("192.168.136.2:8000"))
				s.Departed(ip("192.168.136.2"))
			}
			s.DeletePod(one.Key(), one.UID, sec(3))
			if b := s.Backend(addr("192.168.136.2:8000"), sec(4)); b.State != flow.BackendDeleted || b.Pod != "server-1" {
				t.Errorf("deleted, below many claims: %s: %s", b.State, b.How)
			}
			steps(sec(5), false)
			if b := s.Backend(addr("192.168.136.2:8000"), sec(6)); b.State != flow.BackendDeleted || b.Pod != "server-1" {
				t.Errorf("and after it: %s: %s", b.State, b.How)
			}
		})
	}
}
