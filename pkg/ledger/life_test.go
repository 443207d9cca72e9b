package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const stuckAfter = 10 * time.Second

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

// readAt is socket 1 without progress since start, read at a time.
func readAt(seconds float64, una uint32) flow.Socket {
	return flow.Socket{ID: 1, Live: true, Timeouts: 1, Since: start, At: at(seconds), Una: una}
}

func movedAt(seconds float64) flow.Socket {
	s := readAt(seconds, 9)
	s.Live, s.Since = false, time.Time{}
	return s
}

// idleAt is socket 1 with nothing outstanding, whose peer is gone.
func idleAt(seconds float64) flow.Socket {
	s := readAt(seconds, 1)
	s.Timeouts, s.State = 0, flow.Established
	return s
}

// closedAt is idle once its owner has closed it.
func closedAt(seconds float64) flow.Socket {
	s := idleAt(seconds)
	s.State, s.Orphan, s.FinOutstanding = flow.FinWait1, true, true
	return s
}

// ofMost returns a ledger that holds so many flows.
func ofMost(flows int) *Ledger {
	return New(Options{StuckAfter: stuckAfter, MaxFlows: flows, KeepEnded: 10}, start)
}

// report has a flow be stuck.
func report(m *Ledger, id flow.ID) {
	m.Put(m.Entry(id).Report(start, "found stuck"))
}

type step struct {
	Kind  Kind
	Stuck bool
}

func steps(changes []Change) []step {
	var all []step
	for _, c := range changes {
		all = append(all, step{c.Kind, c.Entry.Life() == Stuck})
	}
	return all
}

func TestLife(t *testing.T) {
	end := flow.End{ID: 1, At: at(20)}
	other := readAt(1, 1)
	other.ID = 2
	for _, c := range []struct {
		name string
		live func(m *Ledger) []Change
		want []step
	}{
		{"a first reading is a suspicion", func(m *Ledger) []Change {
			return m.Observe(readAt(0, 1))
		}, []step{{Suspected, false}}},
		{"progress ends a suspicion", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			return m.Observe(movedAt(1))
		}, []step{{Recovered, false}}},
		{"progress of a stuck flow", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			report(m, 1)
			return m.Snapshot([]flow.Socket{movedAt(12)}, at(12))
		}, []step{{Recovered, true}}},
		{"progress and a new standstill", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			report(m, 1)
			return m.Observe(readAt(12, 5))
		}, []step{{Recovered, true}, {Suspected, false}}},
		{"an end", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			report(m, 1)
			return m.End(end)
		}, []step{{Ended, true}}},
		{"an end of a stranger", func(m *Ledger) []Change {
			return m.End(end)
		}, nil},
		{"absence from one snapshot means nothing", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			return m.Snapshot(nil, at(1))
		}, nil},
		{"absence from two does", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			return append(m.Snapshot(nil, at(1)), m.Snapshot(nil, at(3))...)
		}, []step{{Vanished, false}}},
		{"but not at once: the record of the end may be on its way", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			absent := append(m.Snapshot(nil, at(1)), m.Snapshot(nil, at(1.01))...)
			absent = append(absent, m.Snapshot(nil, at(2.9))...)
			return append(absent, m.End(end)...)
		}, []step{{Ended, false}}},
		{"two absences with a sighting between", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			m.Snapshot(nil, at(1))
			m.Observe(readAt(1.5, 1))
			return m.Snapshot(nil, at(2))
		}, nil},
		{"a snapshot from before the sighting", func(m *Ledger) []Change {
			m.Observe(readAt(3, 1))
			return append(m.Snapshot(nil, at(1)), m.Snapshot(nil, at(2))...)
		}, nil},
		{"a late record does not turn time back", func(m *Ledger) []Change {
			m.Observe(readAt(5, 1))
			return m.Observe(readAt(4, 1))
		}, nil},
		{"a reading of a moving socket is no suspicion", func(m *Ledger) []Change {
			return m.Observe(movedAt(1))
		}, nil},
		{"an idle flow that its owner closes", func(m *Ledger) []Change {
			m.Observe(idleAt(0))
			return m.Observe(closedAt(1))
		}, []step{{Closed, false}}},
		{"and whose FIN has timed out by then", func(m *Ledger) []Change {
			m.Observe(idleAt(0))
			fin := closedAt(1)
			fin.Timeouts = 1
			return m.Observe(fin)
		}, []step{{Closed, false}, {Suspected, false}}},
		{"one with bytes under way does not end by being closed", func(m *Ledger) []Change {
			m.Observe(idleAt(0))
			written := closedAt(1)
			written.Unsent = 9
			return m.Observe(written)
		}, nil},
		{"MPTCP subflows are never suspects", func(m *Ledger) []Change {
			s := readAt(0, 1)
			s.MPTCP = true
			return m.Observe(s)
		}, nil},
		{"beyond the limit", func(m *Ledger) []Change {
			m.Observe(readAt(0, 1))
			m.Observe(other)
			third := other
			third.ID = 3
			return m.Observe(third)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ofMost(2)
			if diff := cmp.Diff(c.want, steps(c.live(m))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPostponeAndForget(t *testing.T) {
	m := ofMost(10)
	m.Observe(readAt(0, 1))
	m.Postpone(1, at(12))
	if len(m.Due(at(11))) != 0 || !m.Next().Equal(at(12)) {
		t.Errorf("due at %v, want not before %v", m.Next(), at(12))
	}
	if len(m.Due(at(12))) != 1 {
		t.Error("not due once the time is over")
	}
	m.Forget(1)
	if m.Len() != 0 || m.View().Suspects() != 0 {
		t.Errorf("%d flows, %d suspects after it was forgotten", m.Len(), m.View().Suspects())
	}
	if got := steps(m.Observe(readAt(13, 1))); len(got) != 1 || got[0].Kind != Suspected {
		t.Errorf("%v, want a new suspicion", got)
	}
}

func TestSuspectsAreCounted(t *testing.T) {
	m := ofMost(10)
	m.Observe(readAt(0, 1))
	if m.View().Suspects() != 1 || m.Len() != 1 {
		t.Errorf("%d suspects of %d", m.View().Suspects(), m.Len())
	}
	report(m, 1)
	if m.View().Suspects() != 0 || m.Len() != 1 {
		t.Errorf("%d suspects of %d once it is stuck", m.View().Suspects(), m.Len())
	}
	m.End(flow.End{ID: 1})
	if m.View().Suspects() != 0 || m.Len() != 0 {
		t.Errorf("%d suspects of %d after its end", m.View().Suspects(), m.Len())
	}
}

func TestTheOldestStampOfAnEpisodeStays(t *testing.T) {
	m := ofMost(10)
	m.Observe(readAt(1, 1))
	later := readAt(2, 1)
	later.Since = at(0.5)
	m.Observe(later)
	if s := m.Entry(1).Socket(); !s.Since.Equal(start) {
		t.Errorf("since %v, want %v", s.Since, start)
	}
}

func TestAnIdleFlowThatIsWrittenToStopsThen(t *testing.T) {
	m := ofMost(10)
	idle := readAt(1, 1)
	idle.Timeouts = 0
	m.Observe(idle)
	written := readAt(20, 1)
	written.Since = at(19)
	m.Observe(written)
	if s := m.Entry(1).Socket(); !s.Since.Equal(at(19)) {
		t.Errorf("since %v, want the first timeout at %v", s.Since, at(19))
	}
}

func TestNextIsTheFirstDeadline(t *testing.T) {
	m := ofMost(10)
	if !m.Next().IsZero() {
		t.Error("a deadline without a suspect")
	}
	m.Observe(readAt(1, 1))
	younger := readAt(1, 1)
	younger.ID, younger.Since = 2, at(0.7)
	m.Observe(younger)
	if got := m.Next(); !got.Equal(at(10)) {
		t.Errorf("next deadline %v, want %v", got, at(10))
	}
	report(m, 1)
	if got := m.Next(); !got.Equal(at(10.7)) {
		t.Errorf("next deadline %v, want %v", got, at(10.7))
	}
}

func TestNamedFlowsVanishWhenTwoReadingsLackThem(t *testing.T) {
	m := ofMost(10)
	other := readAt(0, 1)
	other.ID = 2
	m.Observe(readAt(0, 1))
	m.Observe(other)
	named := []flow.ID{1}
	if got := steps(m.Reread(named, nil, at(1))); len(got) != 0 {
		t.Errorf("absent once: %v", got)
	}
	if got := steps(m.Reread(named, nil, at(3))); len(got) != 1 || got[0].Kind != Vanished {
		t.Errorf("absent twice: %v", got)
	}
	if m.Len() != 1 {
		t.Error("a flow that nobody named has vanished, too")
	}
	if got := m.Reread(named, nil, at(4)); len(got) != 0 {
		t.Errorf("it vanishes again: %v", got)
	}
}

// TestEveryFlowHasItsTurn: even if others come and go meanwhile.
func TestEveryFlowHasItsTurn(t *testing.T) {
	m := ofMost(100)
	for id := range flow.ID(20) {
		s := readAt(0, 1)
		s.ID = id + 1
		m.Observe(s)
	}
	seen := map[flow.ID]int{}
	for n := range 12 {
		for _, id := range m.Turn(7) {
			seen[id]++
		}
		m.End(flow.End{ID: flow.ID(n + 1)})
	}
	for id := flow.ID(13); id <= 20; id++ {
		if seen[id] < 3 {
			t.Errorf("flow %d had %d turns of some five", id, seen[id])
		}
	}
	if got := m.Turn(100); len(got) != 8 {
		t.Errorf("%v, want all eight that are left", got)
	}
}

func TestWhatIsDue(t *testing.T) {
	m := ofMost(10)
	m.Observe(readAt(0, 1))
	if due := m.Due(at(9.999)); len(due) != 0 {
		t.Errorf("%d due before stuck-after", len(due))
	}
	if due := m.Due(at(10)); len(due) != 1 || due[0].ID() != 1 {
		t.Errorf("%d due after stuck-after, want flow 1", len(due))
	}
	if due := m.Due(at(10.01)); len(due) != 0 {
		t.Errorf("%d due again at once", len(due))
	}
	if due := m.Due(at(11)); len(due) != 1 {
		t.Errorf("%d due again, want what could not be read", len(due))
	}
	report(m, 1)
	if due := m.Due(at(30)); len(due) != 0 {
		t.Errorf("%d due once it is reported", len(due))
	}
	m.Await(1, at(40))
	if due := m.Due(at(40)); len(due) != 1 || len(m.Due(at(50))) != 0 {
		t.Errorf("%d due, want what waits for this time, once", len(due))
	}
}

// TestWhoseBackendIsGoneIsDueAtOnce: unless it is only counted.
func TestWhoseBackendIsGoneIsDueAtOnce(t *testing.T) {
	for reason, due := range map[flow.Suppression]int{"": 1, flow.SuppressedAtRisk: 1, flow.SuppressedClosing: 0} {
		m := ofMost(10)
		m.Observe(readAt(0, 1))
		e := m.Entry(1)
		m.Put(e.Judge(e.Evidence(), diagnosis.Decision{AtOnce: true, Suppressed: reason}))
		if got := m.Due(at(1)); len(got) != due {
			t.Errorf("suppressed as %q: %d due, want %d", reason, len(got), due)
		}
	}
}

// abortsAt is socket 1, which the kernel should abort so long after a reading at
// a time.
func abortsAt(seconds, after float64) flow.Socket {
	s := readAt(seconds, 1)
	s.State, s.PacketsOut, s.Pending, s.Retransmits = flow.Established, 1, flow.TimerRetransmit, 1
	s.RTO, s.RTOMax, s.Retries2, s.Tick = 200*time.Millisecond, 2*time.Minute, 15, 4*time.Millisecond
	s.UserTimeout, s.RetransStamp = time.Duration((seconds+after)*float64(time.Second)), start
	s.TimerAt = s.At.Add(s.RTO)
	return s
}

// TestAFlowIsDueOnceItsAbortDeadlineHasPassed: nothing is shown as stuck that
// the kernel should have aborted, unless it was read since. One that stands on
// is due again, a second after each reading.
func TestAFlowIsDueOnceItsAbortDeadlineHasPassed(t *testing.T) {
	m := ofMost(10)
	m.Observe(abortsAt(1, 60))
	report(m, 1)
	deadline := m.Entry(1).Evidence().GivesUp.At
	if deadline.Before(at(50)) || deadline.After(at(100)) {
		t.Fatalf("the abort deadline is %v", deadline)
	}
	if due := m.Due(deadline); len(due) != 0 {
		t.Error("due before the kernel could have aborted it")
	}
	if due := m.Due(deadline.Add(2 * again)); len(due) != 1 {
		t.Fatal("not due once the kernel should have aborted it")
	}
	late := abortsAt(1, 60)
	late.At = deadline.Add(time.Second)
	m.Observe(late)
	if next := m.Next(); next.Before(late.At.Add(again)) || next.After(late.At.Add(5*time.Second)) {
		t.Errorf("due at %v, want soon after it was read at %v", next, late.At)
	}
}

// TestANearerAbortDeadlineCounts: a socket that is closed is given less time.
func TestANearerAbortDeadlineCounts(t *testing.T) {
	m := ofMost(10)
	m.Observe(abortsAt(1, 600))
	report(m, 1)
	m.Observe(abortsAt(2, 30))
	if next, deadline := m.Next(), m.Entry(1).Evidence().GivesUp.At; next.Before(deadline) || next.After(deadline.Add(2*again)) {
		t.Errorf("due at %v, want soon after %v", next, deadline)
	}
	m.Await(1, at(20))
	if next := m.Next(); !next.Equal(at(20)) {
		t.Errorf("due at %v, want at the time that it waits for", next)
	}
	m.Await(1, at(100))
	m.Observe(abortsAt(3, 29))
	if next, deadline := m.Next(), m.Entry(1).Evidence().GivesUp.At; next.Before(deadline) || next.After(deadline.Add(2*again)) {
		t.Errorf("due at %v, and its abort deadline, %v, comes before what it waits for", next, deadline)
	}
}

// TestOverdueFlowsAreReadTogether: those that outlive their abort deadlines cost
// ten looks a second at most, however many they are.
func TestOverdueFlowsAreReadTogether(t *testing.T) {
	const flows = 500
	m := ofMost(flows)
	for id := range flow.ID(flows) {
		s := abortsAt(1, 60)
		s.ID, s.At = id, s.At.Add(time.Duration(id)*2*time.Millisecond)
		s.UserTimeout += time.Duration(id) * 2 * time.Millisecond
		m.Observe(s)
		report(m, id)
	}
	began, looks, due := m.Next(), 0, 0
	for ; !m.Next().IsZero() && m.Next().Before(began.Add(5*time.Second)); looks++ {
		due += len(m.Due(m.Next()))
	}
	if due != flows || looks > 15 {
		t.Errorf("%d flows are due in %d looks, want all in some ten", due, looks)
	}
}

// TestWhatNoSnapshotHas: its absence from them means nothing, and that from two
// file scans does.
func TestWhatNoSnapshotHas(t *testing.T) {
	m := ofMost(10)
	s := readAt(1, 1)
	s.Unstored = true
	m.Observe(s)
	gone := append(m.Snapshot(nil, at(2)), m.Snapshot(nil, at(10))...)
	gone = append(gone, m.Scanned(at(11))...)
	if len(gone) > 0 {
		t.Errorf("%v, and one scan alone lacks it", steps(gone))
	}
	s.At = at(11.5) // the scan shows it late
	m.Observe(s)
	if gone := append(m.Scanned(at(16)), m.Scanned(at(21))...); len(gone) != 1 || gone[0].Kind != Vanished {
		t.Errorf("%v, want that it vanished: no scan after the first has it", steps(gone))
	}
}

func TestWhoWasLetGoOfIsOwedTwoLooks(t *testing.T) {
	for name, letGo := range map[string]func(m *Ledger){
		"forgotten": func(m *Ledger) { m.Forget(1) },
		"refused": func(m *Ledger) {
			other := readAt(0, 1)
			other.ID = 2
			m.Observe(other)
			if m.Owed() {
				t.Error("a look is owed, and there is no room")
			}
			m.End(flow.End{ID: 1})
		},
		"missed": func(m *Ledger) {
			m.Snapshot(nil, at(1))
			m.Snapshot(nil, at(3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := ofMost(1)
			m.Observe(readAt(0, 1))
			letGo(m)
			for range 2 {
				if !m.Owed() {
					t.Fatal("no look is owed")
				}
				m.Snapshot(nil, at(10))
			}
			if m.Owed() {
				t.Error("a third look is owed")
			}
		})
	}
}

// TestALookOwesAgain: what finds no room during a look is owed as many looks as what
// found none before, and a look that failed is not one of them.
func TestALookOwesAgain(t *testing.T) {
	other := readAt(0, 1)
	other.ID = 2
	l := ofMost(1)
	l.Observe(readAt(0, 1))
	l.Forget(1) // two looks are owed
	l.Look(slices.Values([]flow.Socket{readAt(1, 1), other}))
	l.Absent(at(1)) // the other one found no room meanwhile
	l.End(flow.End{ID: 1})
	l.Look(slices.Values([]flow.Socket(nil))) // it fails
	for n := range owedLooks {
		if !l.Owed() {
			t.Fatalf("no look is owed after %d", n)
		}
		l.Snapshot(nil, at(10))
	}
	if l.Owed() {
		t.Error("a third look is owed")
	}
}
