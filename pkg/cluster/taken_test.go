package cluster_test

import (
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

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
