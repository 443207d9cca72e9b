package cluster_test

import (
	"slices"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

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
