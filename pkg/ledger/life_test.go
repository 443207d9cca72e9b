package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
