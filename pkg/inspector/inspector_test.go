package inspector_test

import (
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

func TestADeletedBackendIsReportedAtTheFirstRTO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.replace(without())
		began := time.Now()
		n.kernel.retransmits(hung())
		e := n.await(flow.EventStuck)
		if took := time.Since(began); took >= stuckAfter {
			t.Errorf("reported after %v, as if it were no matter that the backend is gone", took)
		}
		if got := verdict(e); got != "Retransmitting · StaleConntrack" {
			t.Error(got)
		}
		f := *e.Flow
		if diff := cmp.Diff(flow.Local{Addr: local, Namespace: "default", Pod: "client-1", PodUID: "uid-2", Workload: "client", WorkloadKind: "Deployment", PID: echo.PID, Started: echo.Started, Comm: "echo"}, f.Local, cmp.Comparer(sameAddr)); diff != "" {
			t.Errorf("local: -want +got\n%s", diff)
		}
		if diff := cmp.Diff(flow.Peer{Class: flow.PeerService, Addr: service, Namespace: "default", Service: "server"}, f.Peer, cmp.Comparer(sameAddr)); diff != "" {
			t.Errorf("peer: -want +got\n%s", diff)
		}
		if f.Backend == nil || f.Backend.Addr != server || f.Backend.Pod != "server-1" || f.Backend.State != flow.BackendDeleted {
			t.Errorf("backend %+v", f.Backend)
		}
		if f.Role != flow.Client || !f.GivesUp.Known() || f.Unacknowledged != 6 || f.Node != "node-a" || f.BootID != "boot" {
			t.Errorf("finding %+v", f)
		}
		if n.store.Suspects() != 0 || len(n.findings()) != 1 {
			t.Errorf("%d suspects, findings %v", n.store.Suspects(), n.findings())
		}
	})
}

func TestARemovalRejudgesItsSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		time.Sleep(stuckAfter / 8) // the first RTO often comes before the API says so
		n.replace(without())
		if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · StaleConntrack" || e.Flow.Age() >= stuckAfter {
			t.Errorf("%s at the age of %v", verdict(e), e.Flow.Age())
		}
	})
}

func TestAListedBackendIsReportedWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		e := n.await(flow.EventStuck)
		if verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Age() < stuckAfter {
			t.Errorf("%s at the age of %v, want PeerUnreachable not before %v", verdict(e), e.Flow.Age(), stuckAfter)
		}
	})
}

func TestBackendMovesUnderAFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		n.replace(without())
		if e := n.await(flow.EventRevised); verdict(e) != "Retransmitting · StaleConntrack" {
			t.Errorf("deleted: %s", verdict(e))
		}
		n.replace(objects())
		if e := n.await(flow.EventRevised); verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Backend.State != flow.BackendListed {
			t.Errorf("listed again: %s, backend %s", verdict(e), e.Flow.Backend.State)
		}
		n.quiet()
	})
}

func TestProgressBeforeItIsDueIsNoFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		s := hung()
		n.kernel.retransmits(s)
		s.Live, s.Una = false, 106
		n.kernel.set(s)
		n.quiet()
		if len(n.findings())+len(n.ended()) != 0 {
			t.Errorf("findings %v, ended %v", n.findings(), n.ended())
		}
	})
}

func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		s := hung()
		n.kernel.retransmits(s)
		n.await(flow.EventStuck)
		s.Live, s.Una = false, 106
		n.kernel.set(s)
		e := n.await(flow.EventRecovered)
		if !strings.Contains(e.Flow.Sentence, "The last verdict was") {
			t.Errorf("reported as if it still were the case: %s", e.Flow.Sentence)
		}
		if e.Flow.Outcome != flow.Recovered || !e.Flow.Ended() {
			t.Errorf("outcome %q, ended %v", e.Flow.Outcome, e.Flow.EndedAt)
		}
		if ended := n.ended(); len(ended) != 1 || len(n.findings()) != 0 {
			t.Errorf("ended %v, live %v", ended, n.findings())
		}
	})
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		end     flow.End
		outcome flow.Outcome
		err     string
	}{
		{"time-out", flow.End{Err: int(syscall.ETIMEDOUT), Unacknowledged: 6, Unsent: 4}, flow.TimedOut, "ETIMEDOUT"},
		{"reset", flow.End{Err: int(syscall.ECONNRESET), ResetReceived: true, Unacknowledged: 6}, flow.Reset, "ECONNRESET"},
		{"close", flow.End{Unacknowledged: 6}, flow.Closed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, nil)
				s := hung()
				n.kernel.retransmits(s)
				n.await(flow.EventStuck)
				c.end.ID, c.end.At, c.end.From = s.ID, time.Now(), flow.Established
				n.kernel.change(func() { clear(n.kernel.sockets) })
				n.kernel.records <- tracer.Record{End: &c.end}
				f := n.await(flow.EventEnded).Flow
				if f.Outcome != c.outcome || f.Err != c.err || f.Unsent != c.end.Unsent || f.Unacknowledged != c.end.Unacknowledged {
					t.Errorf("%s %s, %d + %d bytes", f.Outcome, f.Err, f.Unsent, f.Unacknowledged)
				}
				n.quiet()
			})
		})
	}
}

func TestATimeOutBeforeItIsDueIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		s := hung()
		// Both records wait when the inspector looks: it died before it was examined.
		n.kernel.records <- tracer.Record{Suspect: &s}
		n.kernel.records <- tracer.Record{End: &flow.End{ID: s.ID, At: time.Now(), Err: int(syscall.ETIMEDOUT), Unacknowledged: 6}}
		if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Local.Pod != "client-1" {
			t.Errorf("%s of %+v", verdict(e), e.Flow.Local)
		}
		if f := n.await(flow.EventEnded).Flow; f.Outcome != flow.TimedOut {
			t.Errorf("outcome %q", f.Outcome)
		}
	})
}

func TestAFailedConnectIsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		s := hung()
		s.State, s.Unacknowledged = flow.SynSent, 0
		n.kernel.records <- tracer.Record{Suspect: &s}
		n.kernel.records <- tracer.Record{End: &flow.End{
			ID: s.ID, At: time.Now(), From: flow.SynSent, Err: int(syscall.ECONNREFUSED), SoftErr: int(syscall.ECONNREFUSED),
		}}
		n.quiet()
	})
}

func TestAnEndThatWasNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		n.kernel.change(func() { clear(n.kernel.sockets) })
		if f := n.await(flow.EventEnded).Flow; f.Outcome != "" || !f.Ended() {
			t.Errorf("outcome %q, want none: nobody saw how it ended", f.Outcome)
		}
	})
}

func TestStuckBeforeTheAgentCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			s := hung()
			s.Since = time.Now().Add(-time.Minute)
			n.kernel.set(s)
		})
		if e := n.await(flow.EventStuck); e.Flow.Age() < time.Minute {
			t.Errorf("age %v, want the true one", e.Flow.Age())
		}
	})
}

// calmRound is how often an idle agent looks for losses.
const calmRound = 5 * time.Second

func TestALostRecordIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Nothing but the loss makes it look: the removal is old.
		n := start(t, func(n *node) {
			n.replace(without())
			n.cluster.TakeChanged()
			<-n.cluster.Changed()
		})
		n.kernel.set(hung())
		began := time.Now()
		n.kernel.change(func() { n.kernel.lost, n.kernel.lostFrom = n.kernel.lost+1, hung().ID })
		n.await(flow.EventStuck)
		if took := time.Since(began); took > calmRound+time.Second {
			t.Errorf("found after %v", took)
		}
	})
}

func TestAFailedSnapshotEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		n.kernel.change(func() { n.kernel.err = syscall.ENOMEM; clear(n.kernel.sockets) })
		e := n.await(flow.EventDegraded)
		if e.Source != string(flow.SourceKernel) {
			t.Errorf("degraded: %s", e.Source)
		}
		n.kernel.awaitReadings(t, 4) // a second apart: an absence counts after two seconds
		n.kernel.set(hung())
		n.kernel.change(func() { n.kernel.err = nil })
		n.await(flow.EventRestored)
		if len(n.findings()) != 1 {
			t.Errorf("findings %v", n.findings())
		}
	})
}

func TestLaterReadingsShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		s := hung()
		n.kernel.retransmits(s)
		n.await(flow.EventStuck)
		s.Timeouts, s.RTO = 7, 12*time.Second
		n.kernel.set(s)
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if f, ok := n.store.Finding(s.ID); ok && f.Timeouts == 7 && f.RTO == 12*time.Second {
				return
			}
		}
		t.Error("the store shows the first reading only")
	})
}

func TestABackendsStateAloneIsARevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func(o cluster.Objects) cluster.Objects {
			o.Nodes[1].State = cluster.NodeNotReady
			return o
		}
		n := start(t, func(n *node) { n.replace(down(objects())) })
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		evicted := down(objects())
		evicted.Pods[0].Terminating = true
		evicted.Slices[0].Endpoints[0].Terminating, evicted.Slices[0].Endpoints[0].Ready = true, false
		n.replace(evicted)
		e := n.await(flow.EventRevised)
		if verdict(e) != "Retransmitting · PeerUnreachable" || e.Flow.Backend.State != flow.BackendTerminating {
			t.Errorf("%s, backend %s", verdict(e), e.Flow.Backend.State)
		}
	})
}

func TestConntrackIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.replace(without())
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		n.table.mu.Lock()
		clear(n.table.entries) // the operator deleted the entry
		n.table.mu.Unlock()
		if e := n.await(flow.EventRevised); e.Flow.Cause == flow.StaleConntrack {
			t.Errorf("%s although the entry is gone", verdict(e))
		}
	})
}

func TestAStaleSourceIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.cluster.SetHealth(false, "the file cannot be read", time.Now().Add(-2*time.Minute))
		if e := n.await(flow.EventDegraded); e.Source != string(flow.SourceCluster) {
			t.Errorf("degraded: %s", e.Source)
		}
		n.replace(objects())
		n.await(flow.EventRestored)
	})
}

// TestRecordsOutOfDate: a verdict does not outlive the trust in the records
// that it rests on.
func TestRecordsOutOfDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.lasts = time.Hour // nothing but the records may turn it
			n.soonOutOfDate()
		})
		n.kernel.retransmits(hung())
		if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · PeerUnreachable" {
			t.Fatal(verdict(e))
		}
		n.cluster.SetHealth(false, "cannot be read", time.Now())
		n.await(flow.EventDegraded)
		if e := n.await(flow.EventRevised); verdict(e) != "Retransmitting · Unknown" {
			t.Error(verdict(e))
		}
		n.replace(objects())
		n.await(flow.EventRestored)
		if e := n.await(flow.EventRevised); verdict(e) != "Retransmitting · PeerUnreachable" {
			t.Error(verdict(e))
		}
	})
}

// TestAnEndThatWaitsIsNoAbsence: on a busy machine two readings may follow each
// other, seconds apart, before anybody looks at the records between them.
