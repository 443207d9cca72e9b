package inspector_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/inspector"
)

type connections struct {
	sockets []flow.AuditSocket
	err     error
}

func (c connections) Audit() ([]flow.AuditSocket, error) { return c.sockets, c.err }

// started is when the process of a connection started.
func started(pid uint32) flow.Process {
	return flow.Process{PID: pid, Started: time.Duration(pid) * time.Minute}
}

// connection is a socket of a process, without any bound.
func connection(pid uint32, local, remote string, accepted bool) flow.AuditSocket {
	return flow.AuditSocket{Socket: flow.Socket{
		ID: flow.ID(pid), PID: pid, Started: started(pid).Started, NetNS: pid, Accepted: accepted, Comm: "app", State: flow.Established, Retries2: 15, RTOMax: 2 * time.Minute,
		Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote),
	}}
}

func TestAuditJoinsOwnersAndPeers(t *testing.T) {
	now := time.Now()
	state := cluster.New(cluster.Options{
		MaxStaleness: time.Minute, Node: "node-a",
		Names: []cluster.Name{{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Label: "database"}},
	})
	state.Replace(cluster.Objects{
		HasServices: true, HasSlices: true, HasPods: true, HasNodes: true,
		Services: []cluster.Service{{Namespace: "default", Name: "server", ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.10")}, Ports: []uint16{8000}}},
		Pods: []cluster.Pod{
			{Namespace: "default", Name: "client-1", UID: "u1", Node: "node-a", IPs: []netip.Addr{netip.MustParseAddr("192.168.75.2")}, Workload: "client", WorkloadKind: "Deployment", Containers: []cluster.Container{{ID: "c1", Name: "main"}}},
			{Namespace: "default", Name: "client-2", UID: "u4", Node: "node-a", IPs: []netip.Addr{netip.MustParseAddr("192.168.75.4")}},
			{Namespace: "kube-system", Name: "proxy", UID: "u2", Node: "node-a", HostNetwork: true, IPs: []netip.Addr{netip.MustParseAddr("172.16.0.1")}},
			{Namespace: "web", Name: "front-1", UID: "u3", Node: "node-b", IPs: []netip.Addr{netip.MustParseAddr("192.168.136.9")}, Workload: "front", WorkloadKind: "Deployment"},
		},
		Nodes: []cluster.Node{{Name: "node-a", Addrs: []netip.Addr{netip.MustParseAddr("172.16.0.1")}}},
	}, now)
	state.SetHealth(true, "", now)
	listening := evidence.NewListening()
	listening.Set([]flow.Listener{{NetNS: 4, Local: netip.MustParseAddrPort("[::]:80")}, {NetNS: 5, Local: netip.MustParseAddrPort("127.0.0.1:80")}})
	a := &inspector.Auditor{
		Connections: connections{sockets: []flow.AuditSocket{
			connection(1, "192.168.75.2:43580", "10.96.0.10:8000", false),
			connection(1, "192.168.75.2:43581", "10.96.0.10:8000", false),
			connection(2, "172.16.0.1:5000", "203.0.113.9:5432", false),
			connection(3, "172.16.0.1:5001", "198.51.100.7:443", false),
			connection(4, "192.168.75.2:80", "192.168.136.9:40000", true),
			connection(4, "192.168.75.2:80", "198.51.100.8:40001", true),
			connection(4, "192.168.75.2:80", "198.51.100.9:40002", true),
			connection(5, "127.0.0.1:80", "127.0.0.1:40001", true),
			// Its process has gone, and the kernel's mark proves no listener.
			connection(6, "192.168.75.2:5002", "198.51.100.7:5432", true),
			// From the node's namespace, with a pod's address.
			connection(3, "192.168.75.4:5003", "198.51.100.7:5433", false),
		}},
		Node: "node-a", Listening: listening,
		Names: evidence.Names{Cluster: state, HostNetNS: 3, Places: places{4: "u1"}, Owners: owners{living: map[flow.Process]flow.Owner{
			started(1): {PodUID: "u1", Container: "c1"}, started(2): {PodUID: "u2"}, started(3): {}, started(5): {},
			{PID: 6, Started: time.Hour}: {PodUID: "u3"}, // that has the number of another one now
		}}},
	}
	r, err := a.Audit()
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Connections int
		Role        flow.Role
		Owner       audit.Owner
		Peer        audit.Peer
	}
	var got []row
	for _, f := range r.Findings {
		got = append(got, row{f.Connections, f.Role, f.Owner, f.Peer})
	}
	ours := audit.Owner{Namespace: "default", Workload: "client", WorkloadKind: "Deployment", Comm: "app"}
	main := ours
	main.Container = "main"
	want := []row{
		{2, flow.Server, ours, audit.Peer{Class: flow.PeerExternal, Port: 80}},
		{2, flow.Client, main, audit.Peer{Class: flow.PeerService, Namespace: "default", Service: "server", Port: 8000}},
		{1, flow.Client, audit.Owner{Comm: "app"}, audit.Peer{Class: flow.PeerExternal, Address: netip.MustParseAddr("198.51.100.7"), Port: 443}},
		{1, flow.Client, audit.Owner{Comm: "app"}, audit.Peer{Class: flow.PeerExternal, Address: netip.MustParseAddr("198.51.100.7"), Port: 5432}},
		{1, flow.Client, audit.Owner{Comm: "app"}, audit.Peer{Class: flow.PeerExternal, Address: netip.MustParseAddr("198.51.100.7"), Port: 5433}},
		{1, flow.Server, ours, audit.Peer{Class: flow.PeerPod, Namespace: "web", Workload: "front", Port: 80}},
		{1, flow.Client, audit.Owner{Namespace: "kube-system", Workload: "proxy", Comm: "app"}, audit.Peer{Class: flow.PeerExternal, Name: "database", Port: 5432}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if r.Local != 1 || r.Connections != 10 || r.Node != "node-a" {
		t.Errorf("%d of %d local, on %s", r.Local, r.Connections, r.Node)
	}
}

func TestAuditThatCannotRead(t *testing.T) {
	broken := errors.New("no iterator")
	a := &inspector.Auditor{Connections: connections{err: broken}, Names: evidence.Names{Cluster: cluster.New(cluster.Options{})}}
	if _, err := a.Audit(); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
