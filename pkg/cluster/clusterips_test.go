package cluster_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

func TestClusterIPs(t *testing.T) {
	s := cluster.New(cluster.Options{})
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	a, b := netip.MustParseAddr("10.96.0.10"), netip.MustParseAddr("10.96.0.11")
	s.SetService(cluster.Service{Namespace: "default", Name: "a", ClusterIPs: []netip.Addr{a}, Ports: []uint16{80}}, now)
	s.SetService(cluster.Service{Namespace: "default", Name: "headless", Ports: []uint16{80}}, now)
	s.SetService(cluster.Service{Namespace: "default", Name: "b", ClusterIPs: []netip.Addr{b}, Ports: []uint16{80}}, now)
	if got := s.ClusterIPs(10); len(got) != 2 {
		t.Errorf("%v, want %s and %s", got, a, b)
	}
	if got := s.ClusterIPs(1); len(got) != 1 {
		t.Errorf("%v, want one", got)
	}
	s.DeleteService(cluster.Key{Namespace: "default", Name: "a"}, now)
	if got := s.ClusterIPs(10); len(got) != 1 || got[0] != b {
		t.Errorf("%v, want %s alone", got, b)
	}
}
