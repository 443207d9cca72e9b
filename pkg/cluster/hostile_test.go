package cluster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// attacker is a pod of another tenant.
func attacker() cluster.Pod {
	return cluster.Pod{Namespace: "attacker", Name: "a-0", UID: "uid-a", Node: "node-b", IPs: ips("10.79.7.7"), CreatedAt: sec(-60)}
}

// says is a slice of the attacker's.
func says(eps ...cluster.Endpoint) cluster.Slice {
	return cluster.Slice{Namespace: "attacker", Name: "evil-1", Service: "evil", Ports: []uint16{8000}, Endpoints: eps}
}

// at has an endpoint name another address.
func at(a string, e cluster.Endpoint) cluster.Endpoint {
	e.Addr = ip(a)
	return e
}

func ending(e cluster.Endpoint) cluster.Endpoint {
	e.Terminating = true
	return e
}

// TestASliceNeverMakesABackendDeleted: what a tenant writes into its slices
// changes nothing for the addresses of others.
func TestASliceNeverMakesABackendDeleted(t *testing.T) {
	const outside, ours = "198.51.100.20:8000", "192.168.136.2:8000"
	one, evil := server("1"), attacker()
	listed := func(s *cluster.State) {
		s.SetPod(one, sec(0))
		s.SetSlice(slice("db-1", "db", endpoint(one)), sec(0))
	}
	died := func(s *cluster.State) {
		listed(s)
		s.SetSlice(slice("db-1", "db"), sec(1))
		s.DeletePod(one.Key(), one.UID, sec(1))
	}
	gone := func(s *cluster.State) { s.DeletePod(evil.Key(), evil.UID, sec(4)) }
	tests := map[string]struct {
		play func(*cluster.State)
		addr string
		want flow.BackendState
		pod  string
	}{
		"its pod dies, and it had said that an address outside was the pod's": {func(s *cluster.State) {
			s.SetPod(evil, sec(2))
			s.SetSlice(says(at("198.51.100.20", endpoint(evil))), sec(3))
			gone(s)
		}, outside, flow.BackendUnknown, ""},
		"it says that an address outside is its living pod's": {func(s *cluster.State) {
			s.SetPod(evil, sec(2))
			s.SetSlice(says(at("198.51.100.20", endpoint(evil))), sec(3))
		}, outside, flow.BackendUnknown, ""},
		"it says that an address near another's pod is its living pod's": {func(s *cluster.State) {
			listed(s)
			s.SetPod(evil, sec(2))
			s.SetSlice(says(at("192.168.136.9", endpoint(evil))), sec(3))
		}, "192.168.136.9:8000", flow.BackendUnknown, ""},
		"and takes the slice back": {func(s *cluster.State) {
			s.SetPod(evil, sec(2))
			s.SetSlice(says(at("198.51.100.20", endpoint(evil))), sec(3))
			gone(s)
			s.SetSlice(says(), sec(5))
		}, outside, flow.BackendUnknown, ""},
		"its pod finishes": {func(s *cluster.State) {
			s.SetPod(evil, sec(2))
			s.SetSlice(says(at("198.51.100.20", endpoint(evil))), sec(3))
			s.SetPod(with(evil, func(p *cluster.Pod) { p.Finished = true }), sec(4))
		}, outside, flow.BackendUnknown, ""},
		"it said so of somebody's pod": {func(s *cluster.State) {
			listed(s)
			s.SetPod(evil, sec(2))
			s.SetSlice(says(at("192.168.136.2", endpoint(evil))), sec(3))
			gone(s)
		}, ours, flow.BackendListed, "server-1"},
		"it says that somebody's pod is terminating, by its name": {func(s *cluster.State) {
			listed(s)
			s.SetSlice(says(ending(endpoint(one))), sec(3))
		}, ours, flow.BackendListed, "server-1"},
		"it says that somebody's address is terminating": {func(s *cluster.State) {
			listed(s)
			s.SetSlice(says(ending(bare("192.168.136.2"))), sec(3))
		}, ours, flow.BackendListed, "server-1"},
		"it lists the address of a pod that is dead": {func(s *cluster.State) {
			died(s)
			s.SetSlice(says(bare("192.168.136.2")), sec(3))
		}, ours, flow.BackendDeleted, "server-1"},
		"and did before": {func(s *cluster.State) {
			s.SetSlice(says(bare("192.168.136.2")), sec(0))
			died(s)
		}, ours, flow.BackendDeleted, "server-1"},
		"it lists it for a pod of its own": {func(s *cluster.State) {
			died(s)
			s.SetPod(evil, sec(2))
			s.SetSlice(says(at("192.168.136.2", endpoint(evil))), sec(3))
		}, ours, flow.BackendDeleted, "server-1"},
		"it listed the address of a pod that is dead, and a hundred others": {func(s *cluster.State) {
			died(s)
			for n := range 100 {
				s.SetSlice(says(at("192.168.136.2", cluster.Endpoint{Pod: fmt.Sprint("p", n), PodUID: fmt.Sprint("u", n)})), sec(3+n))
			}
			s.SetSlice(says(), sec(200))
		}, ours, flow.BackendDeleted, "server-1"},
		"it lists the address for a crowd of pods": {func(s *cluster.State) {
			died(s)
			var all []cluster.Endpoint
			for n := range 100 {
				all = append(all, at("192.168.136.2", cluster.Endpoint{Pod: fmt.Sprint("p", n), PodUID: fmt.Sprint("u", n)}))
			}
			s.SetSlice(says(all...), sec(3))
		}, ours, flow.BackendDeleted, "server-1"},
		// Controls.
		"its own pod dies": {func(s *cluster.State) {
			s.SetPod(evil, sec(2))
			s.SetSlice(says(endpoint(evil)), sec(3))
			gone(s)
		}, "10.79.7.7:8000", flow.BackendDeleted, "a-0"},
		"the pod's own namespace lists its address again": {func(s *cluster.State) {
			died(s)
			s.SetSlice(slice("by-hand", "db", bare("192.168.136.2")), sec(3))
		}, ours, flow.BackendListed, ""},
		"another tenant's pod really got the address": {func(s *cluster.State) {
			died(s)
			s.SetPod(with(evil, func(p *cluster.Pod) { p.IPs = ips("192.168.136.2") }), sec(3))
		}, ours, flow.BackendListed, "a-0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := up()
			tt.play(s)
			b := s.Backend(addr(tt.addr), sec(300))
			if b.State != tt.want || b.Pod != tt.pod {
				t.Errorf("%s %q, want %s %q: %s", b.State, b.Pod, tt.want, tt.pod, b.How)
			}
			if b.Namespace == "default" && len(b.Services) > 0 && b.Services[0] == "attacker/evil" {
				t.Errorf("%s serves attacker/evil", b.Pod)
			}
		})
	}
}

// TestASliceMakesNoPodOfAnAddress: an address outside stays outside.
func TestASliceMakesNoPodOfAnAddress(t *testing.T) {
	s := up()
	evil := attacker()
	s.SetPod(evil, sec(0))
	s.SetSlice(says(at("198.51.100.20", endpoint(evil)), at("198.51.100.21", cluster.Endpoint{Pod: "ghost", PodUID: "u-g"}), bare("10.79.7.8")), sec(1))
	for a, want := range map[string]flow.PeerClass{
		"198.51.100.20:443": flow.PeerExternal, "198.51.100.21:443": flow.PeerExternal,
		"10.79.7.8:443": flow.PeerPod, // among pods, whichever slice lists it
	} {
		if got := s.Class(addr(a)); got != want {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
}

// TestAStrangersSliceSaysNothingOfAnAddressOutside: no pod is known there, or
// near, so a connection without a Service keeps an unknown peer. Controls: a
// connection that the listing Service sent there, and a source without pods.
func TestAStrangersSliceSaysNothingOfAnAddressOutside(t *testing.T) {
	const evils = "10.96.0.66:8000"
	outside := addr("198.51.100.20:8000")
	ghost := at("198.51.100.20", cluster.Endpoint{Pod: "ghost", PodUID: "u-g", Node: "node-b"})
	down := bare("198.51.100.20")
	down.Node = "node-b"
	notFound := func(s *cluster.State) { s.DeletePod(cluster.Key{Namespace: "attacker", Name: "ghost"}, "u-g", sec(4)) }
	tests := map[string]struct {
		play        func(*cluster.State)
		direct, via flow.BackendState
	}{
		"it lists it":                      {func(s *cluster.State) { s.SetSlice(says(bare("198.51.100.20")), sec(3)) }, flow.BackendUnknown, flow.BackendListed},
		"it lists it as terminating":       {func(s *cluster.State) { s.SetSlice(says(ending(bare("198.51.100.20"))), sec(3)) }, flow.BackendUnknown, flow.BackendTerminating},
		"it lists it on a node":            {func(s *cluster.State) { s.SetSlice(says(down), sec(3)) }, flow.BackendUnknown, flow.BackendListed},
		"it listed it":                     {func(s *cluster.State) { s.SetSlice(says(down), sec(3)); s.SetSlice(says(), sec(4)) }, flow.BackendUnknown, flow.BackendUnlisted},
		"it lists it for a pod of no-one":  {func(s *cluster.State) { s.SetSlice(says(ghost), sec(3)); notFound(s) }, flow.BackendUnknown, flow.BackendDeleted},
		"it listed it for a pod of no-one": {func(s *cluster.State) { s.SetSlice(says(ghost), sec(3)); notFound(s); s.SetSlice(says(), sec(5)) }, flow.BackendUnknown, flow.BackendDeleted},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := limited()
			s.Lookups().SetNode(with(nodeB(), func(n *cluster.Node) { n.State = cluster.NodeUnreachable }), sec(0))
			s.SetService(cluster.Service{Namespace: "attacker", Name: "evil", ClusterIPs: ips("10.96.0.66"), Ports: []uint16{8000}}, sec(0))
			tt.play(s)
			b := s.Backend(outside, sec(9))
			if b.State != tt.direct || b.Pod != "" || b.Node != "" || len(b.Services) > 0 {
				t.Errorf("not through a Service: %+v", b)
			}
			if got := s.Class(outside); got != flow.PeerExternal {
				t.Errorf("class %s", got)
			}
			if b := s.BackendVia(outside, addr(evils), sec(9)); b.State != tt.via {
				t.Errorf("through its Service: %s, want %s: %s", b.State, tt.via, b.How)
			}
		})
	}
	s := up() // all pods are listed: that of no-one would be
	s.SetPod(attacker(), sec(0))
	s.SetSlice(says(ghost), sec(1))
	if b := s.Backend(outside, sec(2)); b.Pod != "" || len(b.Services) > 0 {
		t.Errorf("a pod that is in no list: %+v", b)
	}
	s = cluster.New(cluster.Options{})
	s.SetHealth(true, "file /run/cluster.yaml", sec(0))
	s.SetSlice(slice("by-hand", "db", bare("198.51.100.20")), sec(1))
	if b := s.Backend(outside, sec(2)); b.State != flow.BackendListed {
		t.Errorf("the records are slices alone: %+v", b)
	}
}

// TestAnUnreadPodIsDeletedForItsServiceAlone: where the pods of other
// nodes are not listed, what a Service's own slices said counts for the
// connections that it sent there, and for no others.
func TestAnUnreadPodIsDeletedForItsServiceAlone(t *testing.T) {
	evil := attacker()
	evilService := cluster.Service{Namespace: "attacker", Name: "evil", ClusterIPs: ips("10.96.0.66"), Ports: []uint16{8000}}
	backend := addr("192.168.136.2:8000")
	s, one := limited()
	s.SetPod(with(server("9"), func(p *cluster.Pod) { p.IPs = ips("192.168.136.9") }), sec(0)) // pods have addresses here
	s.SetService(evilService, sec(0))
	s.SetSlice(says(at("192.168.136.2", endpoint(evil))), sec(1))
	s.SetSlice(says(), sec(2))
	s.DeletePod(evil.Key(), evil.UID, sec(3)) // asked for, and not found
	check := func(when string, via string, want flow.BackendState) {
		t.Helper()
		b := s.Backend(backend, sec(9))
		if via != "" {
			b = s.BackendVia(backend, addr(via), sec(9))
		}
		if b.State != want {
			t.Errorf("%s, via %q: %s, want %s: %s", when, via, b.State, want, b.How)
		}
	}
	const evils, servers, nobodys = "10.96.0.66:8000", "10.96.0.30:8000", "10.96.9.9:8000"
	check("the attacker's pod was not found", servers, flow.BackendListed)
	check("the attacker's pod was not found", "", flow.BackendListed)
	check("the attacker's pod was not found", evils, flow.BackendDeleted) // the attacker controls the clients of its Service anyway
	s.SetSlice(slice("server-x", "server"), sec(4))
	s.DeletePod(one.Key(), one.UID, sec(5))
	check("the server was not found", servers, flow.BackendDeleted)
	check("the server was not found", "", flow.BackendUnlisted)
	check("the server was not found", nobodys, flow.BackendUnlisted)
	s.SetSlice(says(bare("192.168.136.2")), sec(6))
	check("the attacker lists the address", servers, flow.BackendDeleted)
	if since, ok := s.Departed(backend.Addr()); !ok || !since.Equal(sec(5)) {
		t.Errorf("departed %v since %s", ok, since)
	}
}

// TestADeletedPodThatWasReadStaysDeleted: no slice revives it, not even for
// the connections of the Service that lists it.
func TestADeletedPodThatWasReadStaysDeleted(t *testing.T) {
	s, one := limited()
	s.SetPod(one, sec(2)) // read, for a flow points there
	s.Lookups().ForgetPod(one.Key(), one.UID)
	s.SetService(cluster.Service{Namespace: "attacker", Name: "evil", ClusterIPs: ips("10.96.0.66"), Ports: []uint16{8000}}, sec(3))
	s.SetSlice(says(bare("192.168.136.2")), sec(3))
	s.SetSlice(slice("server-x", "server"), sec(4))
	s.DeletePod(one.Key(), one.UID, sec(5))
	for _, via := range []string{"10.96.0.30:8000", "10.96.0.66:8000"} {
		if b := s.BackendVia(addr("192.168.136.2:8000"), addr(via), sec(9)); b.State != flow.BackendDeleted || b.Pod != "server-1" {
			t.Errorf("via %s: %s: %s", via, b.State, b.How)
		}
	}
	if b := s.Backend(addr("192.168.136.2:8000"), sec(9)); b.State != flow.BackendDeleted {
		t.Errorf("its own record proved the address: %s: %s", b.State, b.How)
	}
}

// TestTheNextPodIsUnreadUntilItsRecordIs: slices lack the time of
// creation, which shows which pod a connection belongs to.
func TestTheNextPodIsUnreadUntilItsRecordIs(t *testing.T) {
	s, one := limited()
	two := with(server("2"), func(p *cluster.Pod) { p.CreatedAt = sec(6) })
	s.SetSlice(slice("server-x", "server"), sec(4))
	s.DeletePod(one.Key(), one.UID, sec(5))
	s.SetSlice(slice("server-x", "server", endpoint(two)), sec(7))
	look := func() cluster.Backend { return s.BackendVia(addr("192.168.136.2:8000"), throughServer, sec(9)) }
	if b := look(); !b.Unread || b.Former == nil || b.Former.Pod != "server-1" || b.Pod != "server-2" {
		t.Errorf("before the answer: %+v", b)
	}
	s.SetPod(two, sec(8))
	if b := look(); b.Unread || b.Former == nil || !b.CreatedAt.Equal(sec(6)) {
		t.Errorf("after it: %+v", b)
	}
}

// TestAnotherTenantsPodFollowsADeletedOne: for a connection to the new pod the
// backend is alive, and the record that decides it for all is asked for.
func TestAnotherTenantsPodFollowsADeletedOne(t *testing.T) {
	s, one := limited()
	s.SetPod(one, sec(2))
	s.DeletePod(one.Key(), one.UID, sec(3))
	s.SetSlice(slice("server-x", "server"), sec(3))
	two := with(attacker(), func(p *cluster.Pod) { p.IPs = one.IPs })
	s.SetService(cluster.Service{Namespace: "attacker", Name: "evil", ClusterIPs: ips("10.96.0.66"), Ports: []uint16{8000}}, sec(4))
	s.SetSlice(says(endpoint(two)), sec(4))
	s.Lookups().Take()
	look := func(via string) cluster.Backend {
		return s.BackendVia(addr("192.168.136.2:8000"), addr(via), sec(9))
	}
	if b := look("10.96.0.66:8000"); b.State != flow.BackendListed || b.Pod != "a-0" || !b.Unread {
		t.Errorf("a connection to the new pod: %+v", b)
	}
	s.Lookups().Take()
	if b := look("10.96.0.30:8000"); b.State != flow.BackendDeleted || b.Pod != "server-1" {
		t.Errorf("a connection to the old one: %+v", b)
	}
	if got := s.Lookups().Take(); !slices.Contains(got, question(two, true)) {
		t.Errorf("the new pod is not asked for: %v", got)
	}
	s.SetPod(two, sec(10))
	if b := look("10.96.0.30:8000"); b.State != flow.BackendListed || b.Pod != "a-0" || b.Former == nil {
		t.Errorf("once its record was read: %+v", b)
	}
}

// TestNobodyTakesAServicesName: a ClusterIP goes before a load balancer's
// address, that before an external IP, and among equals the oldest.
func TestNobodyTakesAServicesName(t *testing.T) {
	web := cluster.Service{Namespace: "shop", Name: "web", ClusterIPs: ips("10.96.0.1"), Ports: []uint16{80}, CreatedAt: sec(-100)}
	balanced := cluster.Service{Namespace: "shop", Name: "lb", LoadBalancerIPs: ips("203.0.113.5"), ExternalIPs: ips("203.0.113.6"), Ports: []uint16{80}, CreatedAt: sec(-50)}
	evil := cluster.Service{
		Namespace: "attacker", Name: "evil", ExternalIPs: ips("10.96.0.1", "203.0.113.5", "203.0.113.6"), Ports: []uint16{80, 5432}, CreatedAt: sec(-10),
	}
	older := cluster.Service{Namespace: "attacker", Name: "older", ExternalIPs: ips("10.96.0.1", "203.0.113.5"), Ports: []uint16{80}, CreatedAt: sec(-1000)}
	services := []cluster.Service{web, balanced, evil, older}
	for turn := range services {
		s := up()
		for n := range services {
			s.SetService(services[(turn+n)%len(services)], sec(n))
		}
		for a, want := range map[string]string{
			"10.96.0.1:80": "web", "10.96.0.1:5432": "web", "203.0.113.5:80": "lb", "203.0.113.6:80": "lb", "203.0.113.6:5432": "evil",
		} {
			if got, _ := s.Service(addr(a)); got.Name != want {
				t.Errorf("turn %d: %s is %s's, want %s's", turn, a, got.Name, want)
			}
		}
		s.DeleteService(web.Key(), sec(5))
		if got, _ := s.Service(addr("10.96.0.1:80")); got.Name != "web" || !got.Deleted {
			t.Errorf("turn %d: its address, once it is gone: %+v", turn, got)
		}
		s.DeleteService(balanced.Key(), sec(6))
		if got, _ := s.Service(addr("203.0.113.6:80")); got.Name != "evil" || got.Deleted {
			t.Errorf("turn %d: an external IP that another claims too: %+v", turn, got)
		}
	}
}

// TestTheNameOfAGoneServiceStays: a Service that has the address afterwards, by
// a weaker claim, does not take the connections that were opened to it.
func TestTheNameOfAGoneServiceStays(t *testing.T) {
	s := up()
	s.SetService(db("10.96.0.10"), sec(0))
	s.DeleteService(db("10.96.0.10").Key(), sec(1))
	s.SetService(cluster.Service{Namespace: "attacker", Name: "evil", ExternalIPs: ips("10.96.0.10"), Ports: []uint16{8000}}, sec(2))
	if got, _ := s.Service(addr("10.96.0.10:8000")); got.Name != "db" || !got.Deleted {
		t.Errorf("%+v", got)
	}
	lb := cluster.Service{Namespace: "shop", Name: "lb", LoadBalancerIPs: ips("203.0.113.5"), Ports: []uint16{80}}
	s.SetService(lb, sec(2))
	s.DeleteService(lb.Key(), sec(2))
	s.SetService(cluster.Service{Namespace: "attacker", Name: "worse", ExternalIPs: ips("203.0.113.5"), Ports: []uint16{80}}, sec(2))
	if got, _ := s.Service(addr("203.0.113.5:80")); got.Name != "lb" || !got.Deleted {
		t.Errorf("a load balancer's address: %+v", got)
	}
	s.SetService(with(db("10.96.0.10"), func(v *cluster.Service) { v.Name = "cache" }), sec(3))
	if got, _ := s.Service(addr("10.96.0.10:8000")); got.Name != "cache" || got.Deleted {
		t.Errorf("the address is given again: %+v", got)
	}
}

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
