package cluster_test

import (
	"fmt"
	"testing"

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

// TestAStrangersSliceSaysNothingOfAnAddressOutside: the records have no pod at the
// address or near it. A connection straight to it has an unknown backend, whatever
// a slice says. The control is a connection through the Service that lists it.
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
}

// TestAPodThatNoListHasIsNowhere: the source lists all pods, and a slice names one
// that is not among them.
func TestAPodThatNoListHasIsNowhere(t *testing.T) {
	s := up()
	s.SetPod(attacker(), sec(0))
	s.SetSlice(says(at("198.51.100.20", cluster.Endpoint{Pod: "ghost", PodUID: "u-g", Node: "node-b"})), sec(1))
	if b := s.Backend(addr("198.51.100.20:8000"), sec(2)); b.State != flow.BackendUnknown || b.Pod != "" || len(b.Services) > 0 {
		t.Errorf("%+v", b)
	}
}

// TestSlicesCountWithoutRecordsOfPods: a file may hold slices only. They are all
// that there is to know.
func TestSlicesCountWithoutRecordsOfPods(t *testing.T) {
	s := up()
	s.SetSlice(slice("by-hand", "db", bare("198.51.100.20")), sec(1))
	if b := s.Backend(addr("198.51.100.20:8000"), sec(2)); b.State != flow.BackendListed {
		t.Errorf("%+v", b)
	}
}
