package monitor_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
)

const stuckAfter = 10 * time.Second

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

// reading is socket 1 without progress since start, read at a time.
func reading(seconds float64, una uint32) flow.Socket {
	return flow.Socket{ID: 1, Live: true, Timeouts: 1, Since: start, At: at(seconds), Una: una}
}

func moved(seconds float64) flow.Socket {
	s := reading(seconds, 9)
	s.Live, s.Since = false, time.Time{}
	return s
}

// idle is socket 1 with nothing outstanding, whose peer is gone.
func idle(seconds float64) flow.Socket {
	s := reading(seconds, 1)
	s.Timeouts, s.State = 0, flow.Established
	return s
}

// closed is idle once its owner has closed it.
func closed(seconds float64) flow.Socket {
	s := idle(seconds)
	s.State, s.Orphan, s.FinOutstanding = flow.FinWait1, true, true
	return s
}

type step struct {
	Kind  monitor.Kind
	Stuck bool
}

func steps(changes []monitor.Change) []step {
	var all []step
	for _, c := range changes {
		all = append(all, step{c.Kind, c.Stuck})
	}
	return all
}

func TestLife(t *testing.T) {
	end := flow.End{ID: 1, At: at(20)}
	other := reading(1, 1)
	other.ID = 2
	for _, c := range []struct {
		name string
		live func(m *monitor.Monitor) []monitor.Change
		want []step
	}{
		{"a first reading is a suspicion", func(m *monitor.Monitor) []monitor.Change {
			return m.Observe(reading(0, 1))
		}, []step{{monitor.Suspected, false}}},
		{"not before its time", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			return m.Tick(at(9.999))
		}, nil},
		{"due after stuck-after", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			return m.Tick(at(10))
		}, []step{{monitor.Due, false}}},
		{"stuck is not due again", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			m.Stick(1)
			return m.Tick(at(10))
		}, nil},
		{"progress ends a suspicion", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			return append(m.Observe(moved(1)), m.Tick(at(30))...)
		}, []step{{monitor.Recovered, false}}},
		{"progress of a stuck flow", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			m.Stick(1)
			return m.Snapshot([]flow.Socket{moved(12)}, at(12))
		}, []step{{monitor.Recovered, true}}},
		{"progress and a new standstill", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			m.Stick(1)
			return m.Observe(reading(12, 5))
		}, []step{{monitor.Recovered, true}, {monitor.Suspected, false}}},
		{"an end", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			m.Stick(1)
			return m.End(end)
		}, []step{{monitor.Ended, true}}},
		{"an end of a stranger", func(m *monitor.Monitor) []monitor.Change {
			return m.End(end)
		}, nil},
		{"absence from one snapshot means nothing", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			return m.Snapshot(nil, at(1))
		}, nil},
		{"absence from two does", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			return append(m.Snapshot(nil, at(1)), m.Snapshot(nil, at(3))...)
		}, []step{{monitor.Vanished, false}}},
		{"but not at once: the record of the end may be on its way", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			absent := append(m.Snapshot(nil, at(1)), m.Snapshot(nil, at(1.01))...)
			absent = append(absent, m.Snapshot(nil, at(2.9))...)
			return append(absent, m.End(end)...)
		}, []step{{monitor.Ended, false}}},
		{"two absences with a sighting between", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			m.Snapshot(nil, at(1))
			m.Observe(reading(1.5, 1))
			return m.Snapshot(nil, at(2))
		}, nil},
		{"a snapshot from before the sighting", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(3, 1))
			return append(m.Snapshot(nil, at(1)), m.Snapshot(nil, at(2))...)
		}, nil},
		{"a late record does not turn time back", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(5, 1))
			return m.Observe(reading(4, 1))
		}, nil},
		{"a reading of a moving socket is no suspicion", func(m *monitor.Monitor) []monitor.Change {
			return m.Observe(moved(1))
		}, nil},
		{"an idle flow that its owner closes", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(idle(0))
			return m.Observe(closed(1))
		}, []step{{monitor.Closed, false}}},
		{"and whose FIN has timed out by then", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(idle(0))
			fin := closed(1)
			fin.Timeouts = 1
			return m.Observe(fin)
		}, []step{{monitor.Closed, false}, {monitor.Suspected, false}}},
		{"one with bytes under way does not end by being closed", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(idle(0))
			written := closed(1)
			written.Unsent = 9
			return m.Observe(written)
		}, []step{{monitor.Updated, false}}},
		{"MPTCP subflows are never suspects", func(m *monitor.Monitor) []monitor.Change {
			s := reading(0, 1)
			s.MPTCP = true
			return m.Observe(s)
		}, nil},
		{"beyond the limit", func(m *monitor.Monitor) []monitor.Change {
			m.Observe(reading(0, 1))
			m.Observe(other)
			third := other
			third.ID = 3
			return m.Observe(third)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := monitor.New(stuckAfter, 2)
			if diff := cmp.Diff(c.want, steps(c.live(m))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPostponeAndForget(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	m.Observe(reading(0, 1))
	m.Postpone(1, at(12))
	if len(m.Tick(at(11))) != 0 || !m.Next().Equal(at(12)) {
		t.Errorf("due at %v, want not before %v", m.Next(), at(12))
	}
	if len(m.Tick(at(12))) != 1 {
		t.Error("not due once the time is over")
	}
	m.Forget(1)
	if m.Len() != 0 || m.Suspects() != 0 {
		t.Errorf("%d flows, %d suspects after it was forgotten", m.Len(), m.Suspects())
	}
	if got := steps(m.Observe(reading(13, 1))); len(got) != 1 || got[0].Kind != monitor.Suspected {
		t.Errorf("%v, want a new suspicion", got)
	}
}

func TestSuspectsAreCounted(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	m.Observe(reading(0, 1))
	if m.Suspects() != 1 || m.Len() != 1 {
		t.Errorf("%d suspects of %d", m.Suspects(), m.Len())
	}
	if !m.Stick(1) || m.Stick(1) {
		t.Error("a flow becomes stuck once")
	}
	if m.Suspects() != 0 || m.Len() != 1 {
		t.Errorf("%d suspects of %d once it is stuck", m.Suspects(), m.Len())
	}
	m.End(flow.End{ID: 1})
	if m.Suspects() != 0 || m.Len() != 0 {
		t.Errorf("%d suspects of %d after its end", m.Suspects(), m.Len())
	}
}

func TestTheOldestStampOfAnEpisodeStays(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	m.Observe(reading(1, 1))
	later := reading(2, 1)
	later.Since = at(0.5)
	m.Observe(later)
	if s, _, _ := m.Socket(1); !s.Since.Equal(start) {
		t.Errorf("since %v, want %v", s.Since, start)
	}
}

func TestAnIdleFlowThatIsWrittenToStopsThen(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	idle := reading(1, 1)
	idle.Timeouts = 0
	m.Observe(idle)
	written := reading(20, 1)
	written.Since = at(19)
	m.Observe(written)
	if s, _, _ := m.Socket(1); !s.Since.Equal(at(19)) {
		t.Errorf("since %v, want the first timeout at %v", s.Since, at(19))
	}
}

func TestNextIsTheFirstDeadline(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	if !m.Next().IsZero() {
		t.Error("a deadline without a suspect")
	}
	m.Observe(reading(1, 1))
	younger := reading(1, 1)
	younger.ID, younger.Since = 2, at(0.7)
	m.Observe(younger)
	if got := m.Next(); !got.Equal(at(10)) {
		t.Errorf("next deadline %v, want %v", got, at(10))
	}
	m.Stick(1)
	if got := m.Next(); !got.Equal(at(10.7)) {
		t.Errorf("next deadline %v, want %v", got, at(10.7))
	}
}

func TestNamedFlowsVanishWhenTwoReadingsLackThem(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	other := reading(0, 1)
	other.ID = 2
	m.Observe(reading(0, 1))
	m.Observe(other)
	named := []flow.ID{1}
	if got := steps(m.Reread(named, nil, at(1))); len(got) != 0 {
		t.Errorf("absent once: %v", got)
	}
	if got := steps(m.Reread(named, nil, at(3))); len(got) != 1 || got[0].Kind != monitor.Vanished {
		t.Errorf("absent twice: %v", got)
	}
	if m.Len() != 1 {
		t.Error("a flow that nobody named has vanished, too")
	}
	if got := m.Reread(named, nil, at(4)); len(got) != 0 {
		t.Errorf("it vanishes again: %v", got)
	}
}

func TestStalestAreThoseReadLongestAgo(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	for id, seconds := range map[flow.ID]float64{1: 5, 2: 1, 3: 3} {
		s := reading(seconds, 1)
		s.ID = id
		m.Observe(s)
	}
	if diff := cmp.Diff([]flow.ID{2, 3}, m.Stalest(2)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := m.Stalest(3); len(got) != 3 {
		t.Errorf("%v of three", got)
	}
}

// TestWhatNoSnapshotHas: its absence from them means nothing, and that from two
// file scans does.
func TestWhatNoSnapshotHas(t *testing.T) {
	m := monitor.New(stuckAfter, 10)
	s := reading(1, 1)
	s.Unstored = true
	m.Observe(s)
	gone := append(m.Snapshot(nil, at(2)), m.Snapshot(nil, at(10))...)
	gone = append(gone, m.Scanned(at(11))...)
	if len(gone) > 0 {
		t.Errorf("%v, and one scan alone lacks it", steps(gone))
	}
	s.At = at(11.5) // the scan shows it late
	m.Observe(s)
	if gone := append(m.Scanned(at(16)), m.Scanned(at(21))...); len(gone) != 1 || gone[0].Kind != monitor.Vanished {
		t.Errorf("%v, want that it vanished: no scan after the first has it", steps(gone))
	}
}

func TestWhoWasLetGoOfIsOwedTwoLooks(t *testing.T) {
	for name, letGo := range map[string]func(m *monitor.Monitor){
		"forgotten": func(m *monitor.Monitor) { m.Forget(1) },
		"refused": func(m *monitor.Monitor) {
			other := reading(0, 1)
			other.ID = 2
			m.Observe(other)
			if m.Owed() {
				t.Error("a look is owed, and there is no room")
			}
			m.End(flow.End{ID: 1})
		},
		"missed": func(m *monitor.Monitor) {
			m.Snapshot(nil, at(1))
			m.Snapshot(nil, at(3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := monitor.New(stuckAfter, 1)
			m.Observe(reading(0, 1))
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
