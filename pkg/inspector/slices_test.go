package inspector_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// remoteOnly gives the node a source that lists the pods of node-a alone.
func (n *node) remoteOnly() {
	n.cluster = cluster.New(cluster.Options{MaxStaleness: time.Minute, Node: "node-a"})
	n.cluster.LimitPods("node-a")
	o := objects()
	o.Pods = o.Pods[1:] // the server's is on node-b
	n.replace(o)
	n.cluster.TakeChanged()
}

// leave has the server's endpoint leave its slice, and the answer come that
// there is no such pod.
func (n *node) leave() {
	now := time.Now()
	sl := objects().Slices[0]
	sl.Endpoints = nil
	n.cluster.SetSlice(sl, now)
	n.cluster.DeletePod(cluster.Key{Namespace: "default", Name: "server-1"}, "uid-1", now)
}

// straight is an idle connection to the server's own address.
func straight() flow.Socket {
	s := quietSocket()
	s.ID, s.Local, s.Remote = 0x99, netip.AddrPortFrom(local.Addr(), 5555), server
	return s
}

// TestAnUnreadPodIsGoneForItsServicesConnections: its record was never read, so
// it counts as the owner of the address only for connections that its Service
// sent there.
func TestAnUnreadPodIsGoneForItsServicesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.remoteOnly()
			n.kernel.idle = []flow.Socket{quietSocket(), straight()}
		})
		n.leave()
		if e := n.await(flow.EventAtRisk); verdict(e) != "HalfOpen · StaleConntrack" || e.Flow.ID != quietSocket().ID {
			t.Errorf("%s of %s", verdict(e), e.Flow.ID)
		}
		n.quiet()
	})
}

// TestIdleThroughAnotherService: the slices of one Service say nothing of what
// another sent to the same address.
func TestIdleThroughAnotherService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := quietSocket()
		other.ID, other.Local, other.Remote = 0x9b, netip.AddrPortFrom(local.Addr(), 5557), netip.MustParseAddrPort("10.96.0.66:8000")
		n := start(t, func(n *node) {
			n.remoteOnly()
			n.kernel.idle = []flow.Socket{quietSocket(), other}
			n.cluster.SetService(cluster.Service{Namespace: "bank", Name: "db", ClusterIPs: []netip.Addr{other.Remote.Addr()}, Ports: []uint16{8000}}, time.Now())
			ours := other.Tuple()
			n.table.entries[ours] = flow.Translation{Orig: ours, Reply: flow.Tuple{Src: server, Dst: other.Local}, State: "ESTABLISHED"}
		})
		n.leave()
		if e := n.await(flow.EventAtRisk); e.Flow.ID != quietSocket().ID {
			t.Errorf("%s of %s", verdict(e), e.Flow.ID)
		}
		n.kernel.awaitReadings(t, 2)
		if got := n.kernel.readOne(other.ID); got.ID != 0 {
			t.Error("the kernel side watches the connection of another Service")
		}
	})
}

// TestTheKernelGetsNoClaimedAddress: the kernel side gets an address only if
// a pod's own record had it.
func TestTheKernelGetsNoClaimedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.remoteOnly()
			n.kernel.idle = []flow.Socket{quietSocket(), straight()}
		})
		n.leave()
		n.await(flow.EventAtRisk)
		if got := n.kernel.readOne(straight().ID); got.ID != 0 {
			t.Error("the kernel side watches a connection that no Service sent there")
		}
	})
}

// TestAnothersSliceMakesNobodyIdleStuck: the pod that the attacker's slice
// names is gone, and the server lives.
func TestAnothersSliceMakesNobodyIdleStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.remoteOnly()
			n.kernel.idle = []flow.Socket{quietSocket(), straight()}
		})
		now := time.Now()
		evil := cluster.Slice{Namespace: "attacker", Name: "evil-1", Service: "evil", Ports: []uint16{8000}, Endpoints: []cluster.Endpoint{
			{Addr: server.Addr(), Node: "node-b", Pod: "a-0", PodUID: "uid-a", Ready: true},
		}}
		n.cluster.SetSlice(evil, now)
		evil.Endpoints = nil
		n.cluster.SetSlice(evil, now)
		n.cluster.DeletePod(cluster.Key{Namespace: "attacker", Name: "a-0"}, "uid-a", now)
		n.kernel.retransmits(hung())
		if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · PeerUnreachable" {
			t.Error(verdict(e))
		}
		n.quiet()
	})
}

// TestAnAddressThatASliceAloneGivesAnewKeepsItsVerdict: until the agent has read
// the record of the pod that has the address now, it does not know since when.
func TestAnAddressThatASliceAloneGivesAnewKeepsItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.remoteOnly()
			n.kernel.idle = []flow.Socket{quietSocket()}
		})
		n.leave()
		n.await(flow.EventAtRisk)
		sl := objects().Slices[0]
		sl.Endpoints[0].Pod, sl.Endpoints[0].PodUID = "server-2", "uid-9"
		n.cluster.SetSlice(sl, time.Now())
		n.quiet()
		if got := n.findings(); len(got) != 1 || got[0].Cause != flow.StaleConntrack || got[0].Backend.Pod != "server-1" {
			t.Errorf("before the answer: %+v", got)
		}
		n.cluster.SetPod(cluster.Pod{Namespace: "default", Name: "server-2", UID: "uid-9", Node: "node-b", IPs: []netip.Addr{server.Addr()}, CreatedAt: time.Now().Add(3 * time.Second)}, time.Now())
		n.settle()
		if got := n.findings(); len(got) != 1 || got[0].Cause != flow.AddressReused {
			t.Errorf("after it: %+v", got)
		}
		for _, f := range n.ended() {
			t.Errorf("ended as %q", f.Outcome)
		}
	})
}

// TestAnAddressGivenToAnOlderPodIsNoRecovery: the pod of the connection is then
// uncertain, and no segment of its peer has come.
func TestAnAddressGivenToAnOlderPodIsNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
		n.replace(without())
		n.await(flow.EventAtRisk)
		o := reusedBy()
		o.Pods[0].CreatedAt = time.Now().Add(-time.Hour)
		n.replace(o)
		n.settle()
		n.kernel.awaitReadings(t, 4)
		if got := n.findings(); len(got) != 1 {
			t.Errorf("findings %+v, want the one that hangs as before", got)
		}
		for _, f := range n.ended() {
			t.Errorf("ended as %q", f.Outcome)
		}
	})
}

// TestWhoClosesAnIdleFlowThatHangsHasClosedIt: the FIN that is under way is no
// progress.
func TestWhoClosesAnIdleFlowThatHangsHasClosedIt(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*flow.Socket)
		want   flow.Outcome
	}{
		"its FIN is under way": {func(s *flow.Socket) { s.State, s.FinOutstanding, s.Orphan = flow.FinWait1, true, true }, flow.Closed},
		"and has timed out": {func(s *flow.Socket) {
			s.State, s.PacketsOut, s.Timeouts, s.Retransmits, s.FinOutstanding, s.Orphan = flow.FinWait1, 1, 1, 1, true, true
		}, flow.Closed},
		"the peer has taken its FIN":    {func(s *flow.Socket) { s.State, s.Live, s.LastAck = flow.FinWait2, false, time.Now() }, flow.Recovered},
		"a segment comes from the peer": {func(s *flow.Socket) { s.Live, s.LastAck = false, time.Now() }, flow.Recovered},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
				n.replace(without())
				s := n.kernel.readOne(n.await(flow.EventAtRisk).Flow.ID)
				n.kernel.change(func() { n.kernel.idle = nil })
				tc.change(&s)
				n.kernel.set(s)
				n.kernel.awaitReadings(t, 2)
				if got := n.ended(); len(got) != 1 || got[0].Outcome != tc.want {
					t.Errorf("ended %+v, want %s", got, tc.want)
				}
			})
		})
	}
}

func (k *kernel) readOne(id flow.ID) flow.Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sockets[id]
}

// TestAnOverlappingAddressElsewhereIsNoneOfOurs: a container inside a pod, or
// beside Kubernetes, may mean another host by the dead pod's address.
func TestAnOverlappingAddressElsewhereIsNoneOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nested := straight()
		nested.ID, nested.Local = 0x98, netip.MustParseAddrPort("172.17.0.2:5555")
		known := nested
		known.ID, known.Local = 0x9a, netip.MustParseAddrPort("172.17.0.3:5556")
		twin := straight() // with the address of another node's pod
		twin.ID, twin.Local = 0x97, netip.AddrPortFrom(another, 5558)
		n := start(t, func(n *node) {
			n.replace(withAnother())
			n.kernel.idle = []flow.Socket{nested, twin, known, straight()}
			ours := known.Tuple()
			n.table.entries[ours] = flow.Translation{Orig: ours, Reply: flow.Tuple{Src: server, Dst: known.Local}, State: "ESTABLISHED"}
		})
		o := withAnother()
		o.Slices[0].Endpoints, o.Pods = nil, o.Pods[1:]
		n.replace(o)
		found := map[flow.ID]bool{}
		for range 2 {
			e := n.await(flow.EventAtRisk)
			if found[e.Flow.ID] = true; verdict(e) != "HalfOpen · PeerDeleted" {
				t.Errorf("%s: %s", e.Flow.ID, verdict(e))
			}
		}
		if found[nested.ID] || found[twin.ID] {
			t.Error("a socket of an unrelated namespace is at risk for our dead pod")
		}
		hangs := nested
		hangs.Timeouts, hangs.Retransmits, hangs.PacketsOut, hangs.Unacknowledged, hangs.Live, hangs.Since, hangs.At = 1, 1, 1, 6, true, time.Now(), time.Now()
		n.kernel.change(func() { n.kernel.idle = nil })
		n.kernel.retransmits(hangs)
		if e := n.await(flow.EventStuck); verdict(e) == "Retransmitting · PeerDeleted" || e.Flow.ID != nested.ID {
			t.Errorf("%s: %s", e.Flow.ID, verdict(e))
		}
	})
}

// TestANodeThatTheRecordsCallOtherwise: an agent that was given another name
// than the records have still takes the pods for its own.
func TestANodeThatTheRecordsCallOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renamed := func(o cluster.Objects) cluster.Objects {
			o.Nodes = o.Nodes[1:]
			for n := range o.Pods {
				o.Pods[n].Node = "red"
			}
			return o
		}
		n := start(t, func(n *node) {
			n.replace(renamed(objects()))
			n.kernel.idle = []flow.Socket{straight()}
		})
		n.replace(renamed(without()))
		if e := n.await(flow.EventAtRisk); verdict(e) != "HalfOpen · PeerDeleted" {
			t.Error(verdict(e))
		}
	})
}

type talksTo map[netip.Addr]struct{}

func (t talksTo) Peers() (map[netip.Addr]struct{}, error) { return t, nil }

func TestTheSourceLearnsThePeersOfThisNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.remoteOnly()
			n.peers = talksTo{server.Addr(): {}}
		})
		select {
		case <-n.cluster.Lookups().Ready():
		case <-time.After(patience):
			t.Fatal("nothing is asked")
		}
		want := cluster.Question{Namespace: "default", Pod: "server-1", UID: "uid-1", Node: "node-b"}
		if got := n.cluster.Lookups().Take(); len(got) != 1 || got[0] != want {
			t.Errorf("questions %+v, want %+v", got, want)
		}
	})
}

// TestAnExternalIPIsTheServicesWhereItIsTranslated: any tenant may write any
// address into a Service. If conntrack does not translate a connection to it, the
// peer is the host that has the address.
func TestAnExternalIPIsTheServicesWhereItIsTranslated(t *testing.T) {
	s := hung()
	s.Remote = netip.MustParseAddrPort("198.51.100.20:5432")
	asIs := flow.Translation{Asked: s.Tuple(), Orig: s.Tuple(), Reply: s.Tuple().Reverse(), State: "ESTABLISHED"}
	sent := asIs
	sent.Reply.Src = server
	tests := map[string]struct {
		entry         *flow.Translation
		want, service string
	}{
		"as it is":   {&asIs, "Retransmitting · PeerSilent", ""},
		"translated": {&sent, "Retransmitting · PeerUnreachable", "evil"},
		"no entry":   {nil, "Retransmitting · ConntrackMissing", "evil"}, // nothing speaks against the Service
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(n *node) {
				n.cluster.SetService(cluster.Service{
					Namespace: "attacker", Name: "evil", ExternalIPs: []netip.Addr{s.Remote.Addr()}, Ports: []uint16{5432},
				}, time.Now())
				if tt.entry != nil {
					n.table.entries[s.Tuple()] = *tt.entry
				}
			})
			n.kernel.retransmits(s)
			if e := n.await(flow.EventStuck); verdict(e) != tt.want || e.Flow.Peer.Service != tt.service {
				t.Errorf("%s, %+v", verdict(e), e.Flow.Peer)
			}
		})
	}
}
