package ledger

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Look takes what one look at the suspects shows.
func (l *Ledger) Look(sockets ...flow.Socket) []Change {
	l.BeginLook()
	var changes []Change
	for _, s := range sockets {
		changes = append(changes, l.Observe(s)...)
	}
	return changes
}

// Snapshot takes a complete look.
func (l *Ledger) Snapshot(sockets []flow.Socket, at time.Time) []Change {
	return append(l.Look(sockets...), l.Absent(at)...)
}

// Reread takes a look that has the named flows that live.
func (l *Ledger) Reread(named []flow.ID, sockets []flow.Socket, at time.Time) []Change {
	return append(l.Look(sockets...), l.AbsentAmong(named, at)...)
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
	l.Look(readAt(1, 1), other)
	l.Absent(at(1)) // the other one found no room meanwhile
	l.End(flow.End{ID: 1})
	l.Look() // it fails
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
