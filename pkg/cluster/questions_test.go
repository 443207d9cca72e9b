package cluster_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// limited returns a State whose source lists the pods of node-a only, and
// the one backend that a slice names, on node-b.
func limited() (*cluster.State, cluster.Pod) {
	s := cluster.New(cluster.Options{MaxStaleness: staleness, Node: "node-a"})
	s.LimitPods("node-a")
	s.SetHealth(true, "API", sec(0))
	s.SetPod(with(server("0"), func(p *cluster.Pod) { p.Node, p.IPs = "node-a", ips("192.168.75.2") }), sec(0))
	p := server("1")
	s.SetService(cluster.Service{Namespace: "default", Name: "server", ClusterIPs: ips("10.96.0.30"), Ports: []uint16{8000}}, sec(0))
	s.SetSlice(slice("server-x", "server", endpoint(p)), sec(1))
	return s, p
}

// throughServer is the address of the Service that names the backend.
var throughServer = addr("10.96.0.30:8000")

func question(p cluster.Pod, urgent bool) cluster.Question {
	return cluster.Question{Namespace: p.Namespace, Pod: p.Name, UID: p.UID, Node: p.Node, Urgent: urgent}
}

func TestQuestions(t *testing.T) {
	backend := addr("192.168.136.2:8000")
	node := cluster.Question{Node: "node-b", Urgent: true}
	unlist := func(s *cluster.State) { s.SetSlice(slice("server-x", "server"), sec(2)) }
	one := server("1")
	tests := map[string]struct {
		change func(*cluster.State)
		want   flow.BackendState
		since  time.Time
		direct flow.BackendState  // for a connection that no Service sent there
		asked  []cluster.Question // by the change, and by the look at the backend
	}{
		"a slice alone lists it": {func(*cluster.State) {}, flow.BackendListed, sec(1), flow.BackendListed, []cluster.Question{node, question(one, true)}},
		"the node is known": {func(s *cluster.State) {
			s.Lookups().SetNode(cluster.Node{Name: "node-b"}, sec(5))
		}, flow.BackendListed, sec(1), flow.BackendListed, []cluster.Question{question(one, true)}},
		"the node was known": {func(s *cluster.State) {
			s.Lookups().SetNode(cluster.Node{Name: "node-b"}, sec(-25))
		}, flow.BackendListed, sec(1), flow.BackendListed, []cluster.Question{node, question(one, true)}},
		"it left": {unlist, flow.BackendUnlisted, sec(2), flow.BackendUnlisted, []cluster.Question{node, question(one, false), question(one, true)}},
		"it left, and was not found": {func(s *cluster.State) {
			unlist(s)
			s.DeletePod(one.Key(), one.UID, sec(4))
		}, flow.BackendDeleted, sec(2), flow.BackendUnknown, []cluster.Question{node, question(one, false)}},
		"it left, and lives": {func(s *cluster.State) {
			unlist(s)
			s.SetPod(one, sec(4))
		}, flow.BackendUnlisted, sec(2), flow.BackendUnlisted, []cluster.Question{node, question(one, false), question(one, true)}},
		"it left, lived, and was not found": {func(s *cluster.State) {
			unlist(s)
			s.SetPod(one, sec(4))
			s.DeletePod(one.Key(), one.UID, sec(5))
		}, flow.BackendDeleted, sec(5), flow.BackendDeleted, []cluster.Question{node, question(one, false)}},
		"it left, lived, and was forgotten": {func(s *cluster.State) {
			unlist(s)
			s.SetPod(one, sec(4))
			s.Lookups().ForgetPod(one.Key(), one.UID)
		}, flow.BackendUnlisted, sec(2), flow.BackendUnlisted, []cluster.Question{node, question(one, false), question(one, true)}},
		"it left, and finished": {func(s *cluster.State) {
			unlist(s)
			s.SetPod(with(one, func(p *cluster.Pod) { p.Finished = true }), sec(4))
		}, flow.BackendDeleted, sec(4), flow.BackendDeleted, []cluster.Question{node, question(one, false)}},
		"another took its address": {func(s *cluster.State) {
			s.SetSlice(slice("server-x", "server", endpoint(server("2"))), sec(2))
		}, flow.BackendListed, sec(2), flow.BackendListed, []cluster.Question{node, question(one, false), question(one, true), question(server("2"), true)}},
		"it left, and its address is its node's": {func(s *cluster.State) {
			unlist(s)
			s.Lookups().SetNode(cluster.Node{Name: "node-b", Addrs: one.IPs}, sec(5))
			s.DeletePod(one.Key(), one.UID, sec(5))
		}, flow.BackendUnlisted, sec(5), flow.BackendUnlisted, []cluster.Question{question(one, false)}},
		"it left, and its node went with it": {func(s *cluster.State) {
			unlist(s)
			s.Lookups().DeleteNode("node-b", sec(5))
			s.DeletePod(one.Key(), one.UID, sec(5))
		}, flow.BackendDeleted, sec(2), flow.BackendUnknown, []cluster.Question{node, question(one, false)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := limited()
			s.TakeChanged()
			tt.change(s)
			if b := s.Backend(backend, sec(6)); b.State != tt.direct {
				t.Errorf("without a Service %s, want %s: %s", b.State, tt.direct, b.How)
			}
			s.Lookups().Take()
			s, _ = limited()
			tt.change(s)
			b := s.BackendVia(backend, throughServer, sec(6))
			if b.State != tt.want || !b.Since.Equal(tt.since) {
				t.Errorf("%s since %s, want %s since %s: %s", b.State, b.Since, tt.want, tt.since, b.How)
			}
			less := func(a, b cluster.Question) int { return slices.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b))) }
			got := s.Lookups().Take()
			slices.SortFunc(got, less)
			slices.SortFunc(tt.asked, less)
			if diff := cmp.Diff(tt.asked, got); diff != "" && len(got)+len(tt.asked) > 0 {
				t.Errorf("questions: -want +got\n%s", diff)
			}
		})
	}
}

// TestALookAtAnAddressAsksNothing: at every change all addresses that it
// touches are looked at, and that may be all there are.
func TestALookAtAnAddressAsksNothing(t *testing.T) {
	s, _ := limited()
	s.SetSlice(slice("server-x", "server"), sec(2))
	s.Lookups().Take()
	s.Backend(addr("192.168.136.2:0"), sec(3))
	if got := s.Lookups().Take(); len(got) != 0 {
		t.Errorf("it asks %v", got)
	}
}

// TestAnAnswerMarksItsAddress: an answer about a pod that no slice names any more
// concerns the address that it had.
func TestAnAnswerMarksItsAddress(t *testing.T) {
	s, p := limited()
	s.SetSlice(slice("server-x", "server"), sec(2))
	s.TakeChanged()
	s.DeletePod(p.Key(), p.UID, sec(3))
	if _, ok := s.TakeChanged()[p.IPs[0]]; !ok {
		t.Error("the pod was not found, and its address is not marked")
	}
}

// TestRelistOfOneNode: a pod that a list lacks is asked for. A pod that was read
// by name does not have to be in the list.
func TestRelistOfOneNode(t *testing.T) {
	s, remote := limited()
	s.SetPod(remote, sec(2))
	local, _ := s.PodByUID("uid-0")
	s.Lookups().Take()
	s.Replace(cluster.Objects{HasPods: true}, sec(3))
	for _, uid := range []string{"uid-0", "uid-1"} {
		if _, ok := s.PodByUID(uid); !ok {
			t.Errorf("a list without %s removed it", uid)
		}
	}
	if diff := cmp.Diff([]cluster.Question{question(local, true)}, s.Lookups().Take()); diff != "" {
		t.Errorf("questions: -want +got\n%s", diff)
	}
	s.DeletePod(local.Key(), local.UID, sec(4))
	if b := s.Backend(addr("192.168.75.2:1"), sec(100)); b.State != flow.BackendDeleted {
		t.Errorf("an empty list of one node is a reading: %s, %s", b.State, b.How)
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	s, p := limited()
	for n := range 5000 {
		ep := endpoint(p)
		ep.Addr, ep.Pod, ep.PodUID = ips(fmt.Sprintf("10.0.%d.%d", n/250, n%250))[0], fmt.Sprint("p", n), fmt.Sprint("u", n)
		s.SetSlice(slice("s", "server", ep), sec(2))
		s.SetSlice(slice("s", "server"), sec(3))
		s.Backend(addr(ep.Addr.String()+":8000"), sec(4))
	}
	if n := len(s.Lookups().Take()); n != 1100 {
		t.Errorf("%d questions", n)
	}
	if n := len(s.Lookups().Take()); n != 0 {
		t.Errorf("%d questions after they were taken", n)
	}
}

// TestNodeReadingsAge: without a list of nodes, one that was ready a while
// ago is not known to be.
func TestNodeReadingsAge(t *testing.T) {
	s, _ := limited()
	s.Lookups().SetNode(cluster.Node{Name: "node-b", State: cluster.NodeReady}, sec(0))
	for second, want := range map[int]cluster.NodeState{60: cluster.NodeReady, 61: ""} {
		if got := s.Backend(addr("192.168.136.2:8000"), sec(second)).NodeState; got != want {
			t.Errorf("after %d s: %q, want %q", second, got, want)
		}
	}
	s.Lookups().SetNode(cluster.Node{Name: "node-b", State: cluster.NodeReady}, sec(61))
	if got := s.Backend(addr("192.168.136.2:8000"), sec(62)).NodeState; got != cluster.NodeReady {
		t.Errorf("read again: %q", got)
	}
}

// TestPeersAreReadInTime: once a pod is gone, nothing can prove that it had the
// address.
func TestPeersAreReadInTime(t *testing.T) {
	s, one := limited()
	meet := func() []cluster.Question {
		s.NotePeers(map[netip.Addr]struct{}{one.IPs[0]: {}, ip("198.51.100.9"): {}, ip("192.168.75.2"): {}})
		return s.Lookups().Take()
	}
	if diff := cmp.Diff([]cluster.Question{question(one, false)}, meet()); diff != "" {
		t.Errorf("questions: -want +got\n%s", diff)
	}
	s.SetPod(one, sec(2))
	if got := meet(); len(got) != 0 {
		t.Errorf("it was read, and is asked for again: %v", got)
	}
	s.Lookups().ForgetPod(one.Key(), one.UID)
	if got := meet(); len(got) != 0 {
		t.Errorf("it was read and forgotten, and is asked for again: %v", got)
	}
	s.SetSlice(slice("server-x", "server"), sec(4))
	s.DeletePod(one.Key(), one.UID, sec(5))
	if b := s.Backend(addr("192.168.136.2:8000"), sec(6)); b.State != flow.BackendDeleted {
		t.Errorf("a headless backend whose record was read: %s: %s", b.State, b.How)
	}
}
