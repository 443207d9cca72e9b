package cluster_test

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestServiceAddresses(t *testing.T) {
	s := up()
	web := cluster.Service{
		Namespace: "default", Name: "web", ClusterIPs: ips("10.96.0.20", "fd00:96::20"), ExternalIPs: ips("203.0.113.1"),
		LoadBalancerIPs: ips("203.0.113.2"), Ports: []uint16{80}, NodePorts: []uint16{30080},
	}
	s.Lookups().SetNode(nodeB(), sec(0))
	s.SetService(web, sec(0))
	eps := []cluster.Endpoint{bare("10.0.0.1"), bare("10.0.0.2"), with(bare("10.0.0.3"), func(e *cluster.Endpoint) { e.Ready = false })}
	s.SetSlice(cluster.Slice{Namespace: "default", Name: "web-4", Service: "web", AnyPort: true, Endpoints: eps}, sec(0))
	s.SetSlice(cluster.Slice{Namespace: "default", Name: "web-6", Service: "web", AnyPort: true, Endpoints: []cluster.Endpoint{bare("fd00::1")}}, sec(0))

	found := func(kind cluster.AddressKind, backends int) *cluster.ServiceAddress {
		return &cluster.ServiceAddress{Namespace: "default", Name: "web", Kind: kind, Backends: backends}
	}
	tests := map[string]*cluster.ServiceAddress{
		"10.96.0.20:80":          found(cluster.ClusterIP, 2),
		"[::ffff:10.96.0.20]:80": found(cluster.ClusterIP, 2),
		"10.96.0.20:81":          found(cluster.ClusterIP, 2),
		"[fd00:96::20]:80":       found(cluster.ClusterIP, 1),
		"203.0.113.1:80":         found(cluster.ExternalIP, 2),
		"203.0.113.1:443":        nil,
		"203.0.113.2:80":         found(cluster.LoadBalancerIP, 2),
		"172.18.0.3:30080":       found(cluster.NodePort, 2),
		"172.18.0.3:10250":       nil,
		"10.0.0.9:30080":         nil,
	}
	for a, want := range tests {
		got, ok := s.Service(addr(a))
		if !ok {
			got = cluster.ServiceAddress{}
		}
		if want == nil {
			want = &cluster.ServiceAddress{}
		}
		if diff := cmp.Diff(*want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", a, diff)
		}
	}
}

func TestServiceDeletedAndRecreated(t *testing.T) {
	s := up()
	at := addr("10.96.0.10:8000")
	s.SetService(db("10.96.0.10"), sec(0))
	s.DeleteService(db("10.96.0.10").Key(), sec(1))
	if got, ok := s.Service(at); !ok || !got.Deleted || got.Name != "db" || !got.DeletedAt.Equal(sec(1)) || s.Class(at) != flow.PeerService {
		t.Errorf("deleted: %+v %v", got, ok)
	}
	cache := with(db("10.96.0.10"), func(s *cluster.Service) { s.Name = "cache" })
	s.SetService(cache, sec(2))
	if got, _ := s.Service(at); got.Deleted || got.Name != "cache" {
		t.Errorf("given again: %+v", got)
	}
	// The other order: the new owner is seen before the old one's end.
	s.SetService(db("10.96.0.10"), sec(3))
	s.DeleteService(cache.Key(), sec(4))
	if got, _ := s.Service(at); got.Deleted || got.Name != "db" {
		t.Errorf("given again, end seen late: %+v", got)
	}
	s.SetService(db("10.96.0.11"), sec(5))
	if got, _ := s.Service(at); !got.Deleted {
		t.Errorf("moved away: %+v", got)
	}
}

func TestClass(t *testing.T) {
	s := up()
	one, gonePod := server("1"), server("2")
	gonePod.IPs = ips("192.168.136.3")
	kubeProxy := cluster.Pod{Namespace: "kube-system", Name: "kube-proxy", UID: "u-kp", Node: "node-c", HostNetwork: true, IPs: ips("172.18.0.4")}
	s.Lookups().SetNode(nodeB(), sec(0))
	s.SetPod(kubeProxy, sec(0)) // its address is that of a node that is not listed
	s.SetPod(one, sec(0))
	s.SetPod(gonePod, sec(0))
	s.DeletePod(gonePod.Key(), gonePod.UID, sec(1))
	s.SetService(db("10.96.0.10"), sec(0))
	s.SetSlice(slice("by-hand", "outside", bare("198.51.100.7")), sec(0))
	tests := map[string]flow.PeerClass{
		"10.96.0.10:8000":              flow.PeerService,
		"192.168.136.2:8000":           flow.PeerPod,
		"[::ffff:192.168.136.2]:33000": flow.PeerPod,
		"192.168.136.3:8000":           flow.PeerPod,
		"192.168.136.99:8000":          flow.PeerPod, // of no record, among pods
		"192.168.137.99:8000":          flow.PeerExternal,
		"172.18.0.3:22":                flow.PeerNode,
		"172.18.0.4:22":                flow.PeerNode,
		"198.51.100.7:8000":            flow.PeerExternal,
		"198.51.100.8:443":             flow.PeerExternal,
	}
	for a, want := range tests {
		if got := s.Class(addr(a)); got != want {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
}

func TestLabelTakesTheLongestPrefix(t *testing.T) {
	s := cluster.New(cluster.Options{Names: []cluster.Name{
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Label: "corp"},
		{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Label: "db"},
		{Prefix: netip.MustParsePrefix("::ffff:10.2.0.0/112"), Label: "mapped"},
	}})
	for a, want := range map[string]string{"10.1.2.3": "db", "::ffff:10.1.2.3": "db", "10.3.0.1": "corp", "10.2.0.1": "mapped", "11.0.0.1": ""} {
		if got := s.Label(ip(a)); got != want {
			t.Errorf("%s: %q, want %q", a, got, want)
		}
	}
}

func TestServicesOfABackend(t *testing.T) {
	s := up()
	one := server("1")
	s.SetPod(one, sec(0))
	s.SetSlice(slice("db-1", "db", endpoint(one)), sec(0))
	s.SetSlice(slice("all-1", "all", endpoint(one)), sec(0))
	s.SetSlice(with(slice("m-1", "metrics", endpoint(one)), func(sl *cluster.Slice) { sl.Ports = []uint16{9100} }), sec(0))
	check := func(when string, want ...string) {
		t.Helper()
		got := s.Backend(addr("192.168.136.2:8000"), sec(9)).Services
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got\n%s", when, diff)
		}
	}
	check("listed", "default/all", "default/db")
	s.DeletePod(one.Key(), one.UID, sec(1))
	check("gone, slices behind", "default/all", "default/db")
	s.DeleteSlice(cluster.Key{Namespace: "default", Name: "m-1"}, sec(2))
	s.DeleteSlice(cluster.Key{Namespace: "default", Name: "all-1"}, sec(2))
	s.DeleteSlice(cluster.Key{Namespace: "default", Name: "db-1"}, sec(2))
	check("gone", "default/db")
}

func TestNodeStateIsPartOfTheAnswer(t *testing.T) {
	s := up()
	one := server("1")
	at := addr("192.168.136.2:8000")
	s.SetPod(one, sec(0))
	s.Lookups().SetNode(nodeB(), sec(0))
	s.TakeChanged()
	s.Lookups().SetNode(with(nodeB(), func(n *cluster.Node) { n.State = cluster.NodeUnreachable }), sec(1))
	if b := s.Backend(at, sec(1)); b.NodeState != cluster.NodeUnreachable {
		t.Errorf("%+v", b)
	}
	if _, ok := s.TakeChanged()[at.Addr()]; !ok {
		t.Error("the node's backends were not marked")
	}
	s.Lookups().DeleteNode("node-b", sec(2))
	if b := s.Backend(at, sec(2)); b.NodeState != cluster.NodeDeleted || b.State != flow.BackendListed {
		t.Errorf("%+v", b)
	}
}

// TestAReadingOfNodesMarksWhatRunsOnThem: of several nodes, those whose state
// changed and the one that is absent, and no other.
func TestAReadingOfNodesMarksWhatRunsOnThem(t *testing.T) {
	s := up()
	at := map[string]netip.Addr{"node-b": ip("10.0.0.1"), "node-c": ip("10.0.0.2"), "node-d": ip("10.0.0.3")}
	reading := func(b cluster.NodeState, names ...string) {
		o := cluster.Objects{HasNodes: true}
		for _, name := range names {
			o.Nodes = append(o.Nodes, cluster.Node{Name: name, State: cluster.NodeReady})
		}
		o.Nodes[0].State = b
		s.Replace(o, sec(1))
	}
	for name, a := range at {
		s.SetPod(cluster.Pod{Namespace: "default", Name: "on-" + name, UID: name, Node: name, IPs: []netip.Addr{a}}, sec(0))
	}
	reading(cluster.NodeReady, "node-b", "node-c", "node-d")
	s.TakeChanged()
	reading(cluster.NodeUnreachable, "node-b", "node-d")
	want := map[netip.Addr]struct{}{at["node-b"]: {}, at["node-c"]: {}}
	if got := s.TakeChanged(); !maps.Equal(got, want) {
		t.Errorf("marked %v, want %v", got, want)
	}
}

func TestNodeAddressGivenAgain(t *testing.T) {
	s := up()
	s.Lookups().SetNode(nodeB(), sec(0))
	s.Lookups().SetNode(with(nodeB(), func(n *cluster.Node) { n.Name = "node-c" }), sec(1))
	s.Lookups().DeleteNode("node-b", sec(2))
	at := addr("172.18.0.3:22")
	if b := s.Backend(at, sec(2)); b.Node != "node-c" || b.State != flow.BackendListed || s.Class(at) != flow.PeerNode {
		t.Errorf("%+v", b)
	}
	s.Lookups().DeleteNode("node-c", sec(3))
	if b := s.Backend(at, sec(3)); b.State != flow.BackendUnknown {
		t.Errorf("%+v", b)
	}
}

func TestPodByUID(t *testing.T) {
	s := up() // on node-a
	local, remote := server("1"), server("2")
	local.Node = "node-a"
	for _, p := range []*cluster.Pod{&local, &remote} {
		p.Containers = []cluster.Container{{ID: "c0ffee", Name: "echo"}}
		s.SetPod(*p, sec(0))
	}
	got, ok := s.PodByUID("uid-1")
	if !ok || got.Container("c0ffee") != "echo" || got.Container("other") != "" {
		t.Errorf("%+v %v", got, ok)
	}
	if got, ok := s.PodByUID("uid-2"); !ok || len(got.Containers) != 0 {
		t.Errorf("another node's containers are kept: %+v", got)
	}
	s.DeletePod(local.Key(), "", sec(1))
	if _, ok := s.PodByUID("uid-1"); ok {
		t.Error("a gone pod is in the list")
	}
}
