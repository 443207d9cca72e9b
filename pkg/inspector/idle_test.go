package inspector_test

import (
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// quietSocket is hung's connection with nothing outstanding.
func quietSocket() flow.Socket {
	s := hung()
	s.Timeouts, s.Retransmits, s.PacketsOut, s.Unacknowledged, s.Pending, s.Live = 0, 0, 0, 0, flow.TimerNone, false
	return s
}

func TestAnIdleFlowIsAtRiskAtOnceAndStuckLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
		began := time.Now() // no later than the removal
		n.replace(without())
		e := n.await(flow.EventAtRisk)
		if took := time.Since(began); took > 2*time.Second || verdict(e) != "HalfOpen · StaleConntrack" {
			t.Errorf("%s after %v", verdict(e), took)
		}
		if got := n.findings(); len(got) != 1 || got[0].Suppressed != flow.SuppressedAtRisk {
			t.Errorf("findings %+v, want one at risk", got)
		}
		select {
		case e = <-n.events:
		case <-time.After(8 * time.Second):
			t.Fatal("it is never called stuck")
		}
		if age := time.Since(began); e.Type != flow.EventStuck || verdict(e) != "HalfOpen · StaleConntrack" || age < 5*time.Second {
			t.Errorf("%s %s after %v, want stuck once no FIN can come any more", e.Type, verdict(e), age)
		}
	})
}

func TestAnIdleFlowWhoseBackendComesBackIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
		n.replace(without())
		n.await(flow.EventAtRisk)
		n.replace(objects())
		time.Sleep(11 * time.Second)
		if got := n.findings(); len(got) != 0 {
			t.Errorf("findings %+v", got)
		}
		if len(n.events) != 0 {
			t.Errorf("event %+v", <-n.events)
		}
	})
}

// TestRecordsThatFlipReportARiskOnceInTenSeconds: a pod leaves the records for half a second,
// again and again.
func TestRecordsThatFlipReportARiskOnceInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
		for range 60 {
			n.replace(without())
			time.Sleep(500 * time.Millisecond)
			n.replace(objects())
			time.Sleep(500 * time.Millisecond)
		}
		risks := 0
		for len(n.events) > 0 {
			n.await(flow.EventAtRisk)
			risks++
		}
		if risks < 2 || risks > 6 {
			t.Errorf("a risk was reported %d times in a minute, want once in 10 s", risks)
		}
		time.Sleep(11 * time.Second)
		if got := n.findings(); len(got) != 0 {
			t.Errorf("findings %+v, and the records have its backend", got)
		}
	})
}

func TestAnIdleFlowOfAnUnlistedBackendIsNoFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
		o := objects()
		o.Slices[0].Endpoints = nil // its pod lives: relabelled
		n.replace(o)
		n.quiet()
		if got := n.findings(); len(got) != 0 {
			t.Errorf("findings %+v", got)
		}
	})
}

func TestConntrackMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil) // it has seen an entry of the Service at its start
		n.table.mu.Lock()
		clear(n.table.entries)
		n.table.mu.Unlock()
		n.kernel.retransmits(hung())
		if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · ConntrackMissing" {
			t.Error(verdict(e))
		}
	})
}

// TestManyEntriesMissingAtOnce: a Service that lost all its entries costs a
// search or two, not one for each of its flows.
func TestManyEntriesMissingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const flows = 20
		n := start(t, nil)
		n.table.mu.Lock()
		clear(n.table.entries)
		n.table.slow = 200 * time.Millisecond // the budget has two or three of them
		n.table.mu.Unlock()
		for i := range flows {
			s := hung()
			s.ID += flow.ID(i)
			s.Local = netip.AddrPortFrom(local.Addr(), local.Port()+uint16(i))
			n.kernel.retransmits(s)
		}
		right := map[flow.ID]bool{}
		for deadline := time.After(patience); len(right) < flows; {
			select {
			case e := <-n.events:
				if verdict(e) == "Retransmitting · ConntrackMissing" {
					right[e.Flow.ID] = true
				}
			case <-deadline:
				t.Fatalf("%d of %d flows are judged right", len(right), flows)
			}
		}
	})
}

func TestNoEntryWhereNothingIsTranslatedIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { clear(n.table.entries) })
		n.kernel.retransmits(hung())
		if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · Unknown" {
			t.Error(verdict(e))
		}
	})
}

func TestAnEntryThatOutlivedItsFlowIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.replace(without())
		s := hung()
		n.kernel.retransmits(s)
		n.await(flow.EventStuck)
		time.Sleep(20 * time.Second)
		if stale := n.store.Stale(); len(stale) > 0 {
			t.Errorf("stale entries %+v, and the flow of each is held", stale)
		}
		n.kernel.change(func() { clear(n.kernel.sockets) })
		n.kernel.records <- tracer.Record{End: &flow.End{ID: s.ID, At: time.Now(), Err: int(syscall.ETIMEDOUT), Unacknowledged: 6}}
		n.await(flow.EventEnded)
		var stale []flow.StaleEntry
		for deadline := time.Now().Add(20 * time.Second); len(stale) == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			stale = n.store.Stale()
		}
		if len(stale) != 1 || stale[0].Client != local || stale[0].Backend != server || stale[0].Pod != "server-1" {
			t.Errorf("stale entries %+v, want the one of the flow that ended", stale)
		}
	})
}

// reusedBy is the cluster after another pod got the dead one's address.
func reusedBy() cluster.Objects {
	o := objects()
	o.Slices[0].Endpoints[0].Pod, o.Slices[0].Endpoints[0].PodUID = "server-2", "uid-9"
	o.Pods[0].Name, o.Pods[0].UID, o.Pods[0].CreatedAt = "server-2", "uid-9", time.Now().Add(3*time.Second)
	return o
}

func TestASecondDeletionAtOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { clear(n.table.entries) })
		n.replace(without())
		n.settle()
		n.replace(reusedBy())
		n.settle()
		ours := flow.Tuple{Src: local, Dst: service}
		n.table.mu.Lock()
		n.table.entries[ours] = flow.Translation{Orig: ours, Reply: flow.Tuple{Src: server, Dst: local}, State: "ESTABLISHED"}
		n.table.mu.Unlock()
		n.kernel.change(func() { n.kernel.idle = []flow.Socket{quietSocket()} })
		n.replace(without())
		if e := n.await(flow.EventAtRisk); e.Flow.Backend.Pod != "server-2" {
			t.Errorf("%s at %+v", verdict(e), e.Flow.Backend)
		}
	})
}

func TestAnIdleFlowStaysWatchedWhenItsAddressIsGivenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		direct := quietSocket()
		direct.ID, direct.Local, direct.Remote = 0x99, netip.AddrPortFrom(local.Addr(), 5555), server
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket(), direct} })
		n.replace(without())
		n.await(flow.EventAtRisk)
		n.await(flow.EventAtRisk)
		n.replace(reusedBy())
		n.settle()
		n.kernel.awaitReadings(t, 4) // a second apart: an absence counts after two seconds
		if got := n.findings(); len(got) != 2 {
			t.Errorf("findings %+v, want both", got)
		}
		for _, f := range n.ended() {
			t.Errorf("%s ended as %q although it hangs as before", f.ID, f.Outcome)
		}
	})
}

// TestARecordDoesNotWaitForASecondSearch: if several backends are gone at once,
// each search of conntrack takes its time, and a flow that begins to hang
// meanwhile goes before the next search.
func TestARecordDoesNotWaitForASecondSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		searches, second := 0, make(chan struct{})
		n := start(t, func(n *node) {
			n.replace(withAnother())
			n.table.searched = func() {
				switch searches++; searches {
				case 1:
					n.kernel.retransmits(hung())
				case 2:
					if n.store.Suspects()+len(n.findings()) == 0 {
						t.Error("the second search is made before the record is taken up")
					}
					close(second)
				}
			}
		})
		n.replace(without())
		n.await(flow.EventStuck)
		select {
		case <-second:
		case <-time.After(patience):
			t.Error("conntrack is not searched for the second backend")
		}
	})
}

// withAnother is a cluster with a second server.
func withAnother() cluster.Objects {
	o := objects()
	o.Slices[0].Endpoints = append(o.Slices[0].Endpoints, cluster.Endpoint{Addr: another, Node: "node-b", Pod: "server-2", PodUID: "uid-9", Ready: true})
	o.Pods = append(o.Pods, cluster.Pod{Namespace: "default", Name: "server-2", UID: "uid-9", Node: "node-b", IPs: []netip.Addr{another}})
	return o
}

var another = netip.MustParseAddr("192.168.136.3")

func TestASearchThatFailsIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.kernel.idle = []flow.Socket{quietSocket()}
			n.table.failures = 1
		})
		n.replace(without())
		n.await(flow.EventAtRisk)
	})
}

func TestAnEntryThatLeadsElsewhereIsNotStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.replace(without())
		n.settle()
		ours := flow.Tuple{Src: local, Dst: service}
		n.table.mu.Lock()
		n.table.entries[ours] = flow.Translation{Orig: ours, Reply: flow.Tuple{Src: netip.MustParseAddrPort("192.168.136.9:8000"), Dst: local}}
		n.table.mu.Unlock()
		time.Sleep(6 * time.Second) // past a regular round
		if got := n.store.Stale(); len(got) != 0 {
			t.Errorf("stale entries %+v", got)
		}
	})
}

// TestRecordsOutOfDateReportNoRecovery: an idle flow whose peer was deleted
// hangs on while the records are out of date.
func TestRecordsOutOfDateReportNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.kernel.idle = []flow.Socket{quietSocket()}
			n.soonOutOfDate()
		})
		n.replace(without())
		n.await(flow.EventAtRisk)
		select {
		case <-n.events:
		case <-time.After(8 * time.Second):
			t.Fatal("it is never called stuck")
		}
		n.cluster.SetHealth(false, "cannot be read", time.Now())
		n.await(flow.EventDegraded)
		if e := n.await(flow.EventRevised); verdict(e) != "HalfOpen · Unknown" {
			t.Errorf("%s, want that only the cause is not known any more", verdict(e))
		}
		n.replace(without())
		n.await(flow.EventRestored)
		if e := n.await(flow.EventRevised); verdict(e) != "HalfOpen · StaleConntrack" {
			t.Errorf("%s once the records can be read again", verdict(e))
		}
	})
}

// TestWhoWentDuringAnOutageIsMissedAfterIt: the source reads the records again
// before they can be trusted.
func TestWhoWentDuringAnOutageIsMissedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.kernel.idle = []flow.Socket{quietSocket()}
			n.soonOutOfDate()
		})
		n.cluster.SetHealth(false, "cannot be read", time.Now())
		n.await(flow.EventDegraded)
		time.Sleep(2 * time.Second) // longer than they are trusted
		n.cluster.Replace(without(), time.Now())
		n.settle()
		n.cluster.SetHealth(true, "test", time.Now())
		n.await(flow.EventRestored)
		if e := n.await(flow.EventAtRisk); verdict(e) != "HalfOpen · StaleConntrack" {
			t.Error(verdict(e))
		}
	})
}

// TestARiskThatCameTrueIsReported: the kernel gives it up before it is called
// stuck.
func TestARiskThatCameTrueIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
		n.replace(without())
		id := n.await(flow.EventAtRisk).Flow.ID
		n.kernel.change(func() { clear(n.kernel.sockets); n.kernel.idle = nil })
		n.kernel.records <- tracer.Record{End: &flow.End{ID: id, At: time.Now(), From: flow.Established, Err: int(syscall.ETIMEDOUT)}}
		if e := n.await(flow.EventEnded); verdict(e) != "HalfOpen · StaleConntrack" || e.Flow.Outcome != flow.TimedOut {
			t.Errorf("%s, ended as %q", verdict(e), e.Flow.Outcome)
		}
	})
}

func TestAFlowAtRiskIsStuckAtItsFirstTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
		n.replace(without())
		n.await(flow.EventAtRisk)
		began := time.Now()
		n.kernel.retransmits(hung())
		e := n.await(flow.EventStuck)
		if took := time.Since(began); took > 300*time.Millisecond || verdict(e) != "Retransmitting · StaleConntrack" {
			t.Errorf("%s after %v, want it at once", verdict(e), took)
		}
	})
}
