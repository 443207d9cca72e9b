package inspector

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// TestAFlowIsJudgedOnceInATurn: the record of its first timeout may wait when it
// has its turn to be read again.
func TestAFlowIsJudgedOnceInATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, events, i := standing()
		kernel.socket.Timeouts, kernel.socket.Pending, kernel.socket.Unsent, kernel.socket.SendWindow = 0, 0, 0, 9
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		e := i.o.Ledger.Entry(1)
		i.phases.report(verdict{entry: e.Judge(e.Evidence(), diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.StaleConntrack, Suppressed: flow.SuppressedAtRisk}).Report(time.Now(), "found at risk")})
		time.Sleep(tick)
		written := kernel.socket
		written.At, written.Timeouts, written.Retransmits, written.PacketsOut = time.Now(), 1, 1, 1
		kernel.socket = written
		kernel.emptied <- tracer.Record{Suspect: &written}
		i.look(t.Context(), false, false)
		var got []flow.EventType
		for _, e := range *events {
			got = append(got, e.Type)
		}
		if diff := cmp.Diff([]flow.EventType{flow.EventStuck}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestNoScanForWhatIsReported: a file scan names the owners of what is about to
// be reported. A flow that only waits for a time has its owner.
func TestNoScanForWhatIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, i := unowned()
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		time.Sleep(i.o.StuckAfter)
		if i.due(t.Context()); kernel.scans != 1 {
			t.Fatalf("%d file scans for what is about to be reported, want 1", kernel.scans)
		}
		i.o.Ledger.Await(1, time.Now())
		if i.due(t.Context()); kernel.scans != 1 {
			t.Errorf("%d file scans, and what was due is reported already", kernel.scans)
		}
	})
}

// unowned returns a kernel side and its inspector. The kernel side has one socket, which
// has just stuck. No file scan has found the socket's owner.
func unowned() (*counting, *Inspector) {
	now := time.Now()
	kernel := &counting{holding: holding{emptied: make(emptied, 1), socket: flow.Socket{
		ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1, Retransmits: 1, PacketsOut: 1,
	}}}
	return kernel, watching(Options{Kernel: kernel})
}

// TestNoScanForASuspectWhoseOwnerIsKnown: its report would wait for it.
func TestNoScanForASuspectWhoseOwnerIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		pid    uint32
		orphan bool
		want   int
	}{
		"its owner is known":     {pid: 42, want: 0},
		"it has no owner":        {orphan: true, want: 0},
		"its owner is not known": {want: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			kernel, i := unowned()
			kernel.socket.PID, kernel.socket.Orphan = c.pid, c.orphan
			take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
			time.Sleep(i.o.StuckAfter)
			if i.due(t.Context()); kernel.scans != c.want {
				t.Errorf("%s: %d file scans before the report, want %d", name, kernel.scans, c.want)
			}
		})
	}
}

// TestOwnersAreSoughtAhead: in the last round before a suspect is due.
func TestOwnersAreSoughtAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, i := unowned()
		i.collector.pace.Took(0, 1)
		round := func() int {
			i.collector.scannedAt = time.Now() // no regular file scan is due
			do(t.Context(), i.round().steps)
			return kernel.scans
		}
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		time.Sleep(i.o.StuckAfter - tick - 1)
		if n := round(); n != 0 {
			t.Errorf("%d file scans, and another round comes before the suspect is due", n)
		}
		time.Sleep(time.Nanosecond)
		if n := round(); n != 1 {
			t.Fatalf("%d file scans in the last round before a suspect is due, want 1", n)
		}
		if n := round(); n != 1 {
			t.Errorf("%d file scans, and its owner was looked for", n)
		}
	})
}

// TestARecordThatJustCameIsNotReadAgain: if the flow is due, it is reported by that
// record, unless a file scan may have found its owner. Another look would visit
// every suspect.
func TestARecordThatJustCameIsNotReadAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		later time.Duration
		scans bool
		looks int
	}{
		{"at once", 0, false, 0},
		{"a moment later", justRead - 1, false, 0},
		{"later", justRead, false, 1},
		{"at once, with a file scan", 0, true, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now()
			s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now.Add(-time.Minute), Timeouts: 3, Retransmits: 3, PacketsOut: 1}
			kernel := &counting{holding: holding{emptied: make(emptied, 1), socket: s}}
			var events published
			i := watching(Options{Kernel: kernel, Sinks: []Sink{&events}})
			if !c.scans {
				i.budgets.scans.Charge(time.Minute, now)
			}
			take(t.Context(), i, tracer.Record{Suspect: &s})
			time.Sleep(c.later)
			i.due(t.Context())
			if kernel.looks != c.looks || len(events) != 1 {
				t.Errorf("%s: %d looks and %d events, want %d and 1", c.name, kernel.looks, len(events), c.looks)
			}
		})
	}
}

// TestAVerdictThatWaitsIsReportedInTime: it turned soon after it was last
// reported to have turned, and is reported ten seconds after that, whenever the
// flow has its turn.
func TestAVerdictThatWaitsIsReportedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, events, i := standing()
		shut := kernel.socket
		open := shut
		open.SendWindow, open.PacketsOut, open.Pending, open.Retransmits, open.Timeouts = 9, 1, flow.TimerRetransmit, 1, 2
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		reportNow(i, 1, flow.EventStuck)
		turns := func(s flow.Socket) {
			s.At = time.Now()
			kernel.socket = s
			i.o.Ledger.Observe(s)
			i.phases.turn(t.Context(), collected{}, []task{{why: isAged, id: 1}})
		}
		time.Sleep(time.Second)
		turns(open)
		revised := time.Now()
		time.Sleep(time.Second)
		if turns(shut); len(*events) != 2 {
			t.Fatalf("%d events, want that it is stuck, and that its verdict turned once", len(*events))
		}
		time.Sleep(i.untilDue())
		i.due(t.Context())
		if after := time.Since(revised); after != revisedEvery || len(*events) != 3 || (*events)[2].Flow.Symptom != flow.ZeroWindow {
			t.Errorf("%d events %v after the verdict turned, want the latest after 10 s", len(*events), after)
		}
	})
}

// passOver has one more suppressed flow than a tenth of the ledger.
func passOver(i *Inspector, s flow.Socket) {
	for s.ID = 1; s.ID <= 11; s.ID++ {
		i.o.Ledger.Observe(s)
		e := i.o.Ledger.Entry(s.ID)
		i.o.Ledger.Put(e.Judge(e.Evidence(), diagnosis.Decision{Suppressed: flow.SuppressedExternalClient}))
	}
}

// TestRecordsThatAreTrustedAgainReconsider: what they suppressed was passed over.
func TestRecordsThatAreTrustedAgainReconsider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, _, i := standing()
		i.checkTrust(t.Context())
		i.judgeMoved(t.Context())
		passOver(i, kernel.socket)
		i.checkTrust(t.Context())
		if i.judgeMoved(t.Context()); i.o.Ledger.Len() != 10 || i.o.Ledger.Owed() {
			t.Fatalf("%d flows are held, want a tenth of the ledger", i.o.Ledger.Len())
		}
		i.sources.outOfDate = !i.sources.outOfDate
		i.checkTrust(t.Context())
		if i.judgeMoved(t.Context()); !i.o.Ledger.Owed() {
			t.Error("what was passed over is not looked for, and the records are other ones")
		}
	})
}

// TestRecordsThatChangeReconsider: what they suppressed was passed over, and now its peer is
// a pod.
func TestRecordsThatChangeReconsider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, _, i := standing()
		i.clusterChanged(t.Context(), nil) // the first health turns everything
		passOver(i, kernel.socket)
		other := map[netip.Addr]struct{}{netip.MustParseAddr("192.0.2.77"): {}}
		if i.clusterChanged(t.Context(), other); i.o.Ledger.Owed() {
			t.Error("what was passed over is looked for, and the records of another address have changed")
		}
		time.Sleep(tick)
		its := map[netip.Addr]struct{}{kernel.socket.Remote.Addr(): {}}
		if i.clusterChanged(t.Context(), its); !i.o.Ledger.Owed() {
			t.Error("what was passed over is not looked for")
		}
	})
}

// TestNothingIsSaidOfWhatIsNotHeld: a flow may have to make room between its
// judgement and its report. Its end would never be reported.
func TestNothingIsSaidOfWhatIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, events, i := standing()
		take(t.Context(), i, tracer.Record{Suspect: &kernel.socket})
		e := i.o.Ledger.Entry(1)
		i.o.Ledger.Forget(1)
		reported := e.Judge(e.Evidence(), diagnosis.Decide(new(e.Evidence()))).Report(time.Now(), "found stuck")
		i.phases.report(verdict{entry: reported, said: []said{{flow.EventStuck, reported}}})
		if len(*events) != 0 || i.o.Ledger.Len() != 0 {
			t.Errorf("events %+v of a flow that is not held", *events)
		}
	})
}
