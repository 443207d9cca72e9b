package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// step is one change and what must be true of the backend after it.
type step struct {
	what  string
	do    func(s *cluster.State, at time.Time)
	want  flow.BackendState
	since int    // second; -1: not looked at
	how   string // part of How
}

func TestBackendTransitions(t *testing.T) {
	one := server("1")
	key := one.Key()
	terminating := with(one, func(p *cluster.Pod) { p.Terminating = true })
	finished := with(one, func(p *cluster.Pod) { p.Finished = true })
	setPod := func(p cluster.Pod) func(*cluster.State, time.Time) {
		return func(s *cluster.State, at time.Time) { s.SetPod(p, at) }
	}
	setSlice := func(sl cluster.Slice) func(*cluster.State, time.Time) {
		return func(s *cluster.State, at time.Time) { s.SetSlice(sl, at) }
	}
	deletePod := func(s *cluster.State, at time.Time) { s.DeletePod(key, "uid-1", at) }
	listed := func(s *cluster.State, at time.Time) {
		s.SetPod(one, at)
		s.SetSlice(slice("db-1", "db", endpoint(one)), at)
	}
	emptied := setSlice(slice("db-1", "db"))
	other := cluster.Pod{Namespace: "default", Name: "other", UID: "uid-other", IPs: ips("192.168.136.9"), CreatedAt: sec(-10)}

	host := with(one, func(p *cluster.Pod) { p.HostNetwork, p.IPs = true, ips("192.168.136.2") })
	hostNode := with(nodeB(), func(n *cluster.Node) { n.Addrs = ips("192.168.136.2") })
	hostListed := func(s *cluster.State, at time.Time) {
		s.Lookups().SetNode(hostNode, at)
		s.SetPod(host, at)
		s.SetSlice(slice("db-1", "db", endpoint(host)), at)
	}
	pods := func(list ...cluster.Pod) cluster.Objects { return cluster.Objects{Pods: list, HasPods: true} }
	replace := func(o cluster.Objects) func(*cluster.State, time.Time) {
		return func(s *cluster.State, at time.Time) { s.Replace(o, at) }
	}

	tests := map[string][]step{
		"nothing known": {
			{"asked", func(*cluster.State, time.Time) {}, flow.BackendUnknown, -1, "no record"},
		},
		"graceful deletion, then listed again": {
			{"listed", listed, flow.BackendListed, 0, "pod default/server-1 (uid uid-1) is in the list"},
			{"unchanged", listed, flow.BackendListed, 0, ""},
			{"deletionTimestamp", setPod(terminating), flow.BackendTerminating, 2, "terminating"},
			{"left its slice", emptied, flow.BackendTerminating, 2, ""},
			{"went", deletePod, flow.BackendDeleted, 4, "pod default/server-1 (uid uid-1) was in the list until 14:02:04, file /x"},
			{"was there after all", listed, flow.BackendListed, 5, ""},
		},
		"forced deletion": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"went, slice behind", deletePod, flow.BackendDeleted, 1, "until 14:02:01"},
			{"left its slice", emptied, flow.BackendDeleted, 1, ""},
		},
		"forced deletion, slice first": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"left its slice", emptied, flow.BackendUnlisted, 1, "left default/db at 14:02:01"},
			{"went", deletePod, flow.BackendDeleted, 2, ""},
		},
		"forced deletion of a terminating pod": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"deletionTimestamp", setPod(terminating), flow.BackendTerminating, 1, ""},
			{"deletionTimestamp moves, and a container ends", setPod(with(terminating, func(p *cluster.Pod) { p.Workload = "server" })), flow.BackendTerminating, 1, ""},
			{"went", deletePod, flow.BackendDeleted, 3, ""},
		},
		"the slice says terminating first": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"condition", setSlice(slice("db-1", "db", with(endpoint(one), func(e *cluster.Endpoint) { e.Terminating = true }))), flow.BackendTerminating, 1, ""},
			{"deletionTimestamp", setPod(terminating), flow.BackendTerminating, 1, ""},
		},
		"same name, another UID": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"replaced", setPod(with(other, func(p *cluster.Pod) { p.Name = "server-1" })), flow.BackendDeleted, 1, "uid-1"},
		},
		"late deletion of an earlier pod": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"another UID went", func(s *cluster.State, at time.Time) { s.DeletePod(key, "uid-0", at) }, flow.BackendListed, 0, ""},
		},
		"finished": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"Succeeded, still listed", setPod(finished), flow.BackendDeleted, 1, "finished, seen at 14:02:01"},
			{"left its slice", emptied, flow.BackendDeleted, 1, ""},
			{"record collected", deletePod, flow.BackendDeleted, 1, ""},
		},
		"finished when first seen": {
			{"finished", setPod(finished), flow.BackendDeleted, 0, "finished"},
		},
		"relabelled": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"taken out", emptied, flow.BackendUnlisted, 1, "left default/db at 14:02:01, and is in the list"},
			{"put back", setSlice(slice("db-1", "db", endpoint(one))), flow.BackendListed, 2, ""},
			{"taken out again", emptied, flow.BackendUnlisted, 3, ""},
		},
		"service deleted with its slice": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"slice deleted", func(s *cluster.State, at time.Time) {
				s.DeleteSlice(cluster.Key{Namespace: "default", Name: "db-1"}, at)
			}, flow.BackendUnlisted, 1, "left default/db"},
		},
		"moved between slices": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"in both", setSlice(slice("db-2", "db", endpoint(one))), flow.BackendListed, 0, ""},
			{"in the second", emptied, flow.BackendListed, 0, ""},
			{"in none", setSlice(slice("db-2", "db")), flow.BackendUnlisted, 3, ""},
		},
		"no targetRef": {
			{"listed", setSlice(slice("db-1", "db", bare("192.168.136.2"))), flow.BackendListed, 0, ""},
			{"left", emptied, flow.BackendUnlisted, 1, "an endpoint without a pod left default/db"},
		},
		"no targetRef, listed again by nobody though a pod had the address": {
			{"pod", setPod(one), flow.BackendListed, 0, ""},
			{"went", deletePod, flow.BackendDeleted, 1, ""},
			{"listed by hand", setSlice(slice("db-1", "db", bare("192.168.136.2"))), flow.BackendListed, 2, ""},
			{"left", emptied, flow.BackendUnlisted, 3, ""},
		},
		"a listing without targetRef that ended before the pod came": {
			{"listed", setSlice(slice("db-1", "db", bare("192.168.136.2"))), flow.BackendListed, 0, ""},
			{"left", emptied, flow.BackendUnlisted, 1, ""},
			{"pod", setPod(one), flow.BackendListed, 2, ""},
		},
		"two slices that disagree": {
			{"listed", listed, flow.BackendListed, 0, ""},
			{"went, slice behind", deletePod, flow.BackendDeleted, 1, ""},
			{"listed by hand too", setSlice(slice("db-2", "db", bare("192.168.136.2"))), flow.BackendListed, 2, ""},
			{"the first again", setSlice(slice("db-1", "db", endpoint(one), endpoint(other))), flow.BackendListed, 2, ""},
		},
		"a reading that comes out without nodes": {
			{"listed", hostListed, flow.BackendListed, 0, ""},
			{"pod went", replace(pods(other)), flow.BackendUnlisted, 1, ""},
			{"no nodes", replace(cluster.Objects{HasNodes: true}), flow.BackendUnlisted, 1, ""},
			{"another node", replace(cluster.Objects{HasNodes: true, Nodes: []cluster.Node{{Name: "node-c"}}}), flow.BackendDeleted, 3, ""},
		},
		"no service": {
			{"headless or bare", setPod(one), flow.BackendListed, 0, "is in the list"},
			{"terminating", setPod(terminating), flow.BackendTerminating, 1, ""},
			{"went", deletePod, flow.BackendDeleted, 2, ""},
		},
		"address given up by a living pod": {
			{"listed", setPod(one), flow.BackendListed, 0, ""},
			{"another address", setPod(with(one, func(p *cluster.Pod) { p.IPs = ips("192.168.136.7") })), flow.BackendUnlisted, 1, "gave its address up"},
			{"went", deletePod, flow.BackendDeleted, 2, ""},
		},
		"host network": {
			{"listed", hostListed, flow.BackendListed, 0, ""},
			{"went, slice behind", deletePod, flow.BackendUnlisted, 1, "its address is its host's"},
			{"left its slice", emptied, flow.BackendUnlisted, 1, ""},
			{"node went too", func(s *cluster.State, at time.Time) { s.Lookups().DeleteNode("node-b", at) }, flow.BackendDeleted, 3, ""},
			{"node back", func(s *cluster.State, at time.Time) { s.Lookups().SetNode(hostNode, at) }, flow.BackendUnlisted, 1, ""},
		},
		"host network, nodes not spoken of": {
			{"listed", func(s *cluster.State, at time.Time) {
				s.SetPod(host, at)
				s.SetSlice(slice("db-1", "db", endpoint(host)), at)
			}, flow.BackendListed, 0, ""},
			{"finished", setPod(with(host, func(p *cluster.Pod) { p.Finished = true })), flow.BackendUnlisted, 1, ""},
			{"went", deletePod, flow.BackendUnlisted, 1, ""},
			{"left its slice", emptied, flow.BackendUnlisted, 1, ""},
		},
		"slice names a pod that was never seen": {
			{"listed", func(s *cluster.State, at time.Time) {
				s.SetPod(other, at)
				s.SetSlice(slice("db-1", "db", endpoint(one)), at)
			}, flow.BackendUnknown, -1, "never seen"},
			{"seen", setPod(one), flow.BackendListed, 0, ""},
		},
		"asked for, and not found: only a slice said that it was there": {
			{"listed", setSlice(slice("db-1", "db", endpoint(one))), flow.BackendListed, 0, ""},
			{"NotFound", deletePod, flow.BackendUnlisted, -1, "was not found at 14:02:01; only the slice says that it had this address"},
		},
		"readings without pods": {
			{"slices only", replace(cluster.Objects{HasSlices: true, Slices: []cluster.Slice{slice("db-1", "db", endpoint(one))}}), flow.BackendListed, 0, ""},
			{"left", replace(cluster.Objects{HasSlices: true}), flow.BackendUnknown, 1, "lists no pods"},
		},
		"a reading that comes out without pods": {
			{"listed", replace(cluster.Objects{HasPods: true, Pods: []cluster.Pod{one}, HasSlices: true, Slices: []cluster.Slice{slice("db-1", "db", endpoint(one))}}), flow.BackendListed, 0, ""},
			{"empty", replace(cluster.Objects{HasPods: true, HasSlices: true, Slices: []cluster.Slice{slice("db-1", "db", endpoint(one))}}), flow.BackendListed, 0, ""},
			{"slices empty too", replace(cluster.Objects{HasPods: true, HasSlices: true}), flow.BackendUnknown, 2, "has listed no pods since 14:02:01"},
			{"whole again", replace(pods(other)), flow.BackendDeleted, 3, ""},
		},
		"readings": {
			{"one", replace(pods(one, other)), flow.BackendListed, 0, ""},
			{"same", replace(pods(one, other)), flow.BackendListed, 0, ""},
			{"absent", replace(pods(other)), flow.BackendDeleted, 2, ""},
			{"there again", replace(pods(one, other)), flow.BackendListed, 3, ""},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			s := up()
			for i, st := range steps {
				st.do(s, sec(i))
				b := s.Backend(addr("[::ffff:192.168.136.2]:8000"), sec(i))
				if b.State != st.want {
					t.Fatalf("%s: %s, want %s (%s)", st.what, b.State, st.want, b.How)
				}
				if st.since >= 0 && !b.Since.Equal(sec(st.since)) {
					t.Errorf("%s: since %s, want %s", st.what, b.Since, sec(st.since))
				}
				if !strings.Contains(b.How, st.how) {
					t.Errorf("%s: how %q, want %q in it", st.what, b.How, st.how)
				}
			}
		})
	}
}
