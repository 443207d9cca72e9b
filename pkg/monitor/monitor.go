// Package monitor is the life of each flow as a pure state machine: a flow
// under suspicion becomes stuck, recovers or ends. Time is passed in; nothing
// here does I/O. A Monitor is not safe for concurrent use.
package monitor

import (
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Kind is what happened to a flow.
type Kind int

// The kinds of change.
const (
	// Suspected: it has something outstanding and makes no progress.
	Suspected Kind = iota
	// Due: it made no progress for as long as makes a flow stuck.
	Due
	// Updated: a reading of a known flow, nothing else changed.
	Updated
	// Recovered: snd_una advanced.
	Recovered
	// Ended: the socket went to CLOSE.
	Ended
	// Vanished: it is gone and its end was not seen.
	Vanished
	// Closed: its owner closed it while it was idle and its backend gone.
	Closed
)

// Change is one step in the life of a flow.
type Change struct {
	Kind   Kind
	Socket flow.Socket // the last reading
	End    *flow.End   // for Ended
	// Stuck is true when the flow had been stuck before this change.
	Stuck bool
	At    time.Time
}

// absentFor is the time between two complete snapshots that lack a flow, and
// with none between them that has it, before that means anything: one can miss
// a living socket while others die, and the record of an end may still be on
// its way to who reads it.
const absentFor = 2 * time.Second

// owedLooks is how many complete snapshots make good that a flow was let go of:
// one alone may miss it.
const owedLooks = 2

type entry struct {
	notBefore   time.Time // of being due
	socket      flow.Socket
	stuck       bool
	absentSince time.Time // the first snapshot that lacked it; zero: the last one had it
	seen        uint64    // the last reading that had it
}

// Monitor holds every flow under suspicion and every stuck one.
type Monitor struct {
	stuckAfter time.Duration
	limit      int
	flows      map[flow.ID]*entry
	suspects   int
	refused    uint64
	snapshots  uint64
	owed       int       // complete snapshots
	scanned    time.Time // the begin of the last file scan
}

// New returns a monitor that calls a flow stuck after stuckAfter without
// progress and holds at most limit flows.
func New(stuckAfter time.Duration, limit int) *Monitor {
	return &Monitor{stuckAfter: stuckAfter, limit: limit, flows: map[flow.ID]*entry{}}
}

// Observe takes a reading of one socket.
func (m *Monitor) Observe(s flow.Socket) []Change {
	return m.observe(nil, s)
}

// observe appends to changes what a reading brings.
func (m *Monitor) observe(changes []Change, s flow.Socket) []Change {
	e := m.flows[s.ID]
	if e == nil {
		return m.suspect(changes, s)
	}
	e.absentSince, e.seen = time.Time{}, m.snapshots
	if s.At.Before(e.socket.At) {
		return changes // a queued record that a snapshot has overtaken
	}
	if closedIdle(e.socket, s) {
		changes = append(changes, m.remove(e, Change{Kind: Closed, Socket: s, At: s.At}))
		if s.Timeouts > 0 { // of its FIN
			changes = m.suspect(changes, s)
		}
		return changes
	}
	if !s.Live {
		return append(changes, m.remove(e, Change{Kind: Recovered, Socket: s, At: s.At}))
	}
	if s.Una != e.socket.Una { // it moved, and stands still again
		recovered := m.remove(e, Change{Kind: Recovered, Socket: s, At: s.At})
		return m.suspect(append(changes, recovered), s)
	}
	if s.Since.After(e.socket.Since) && e.socket.Timeouts > 0 {
		// The oldest stamp is the one of this episode. It is told by the new
		// reading's clock: the wall clock may have been set meanwhile.
		s.Since = s.At.Add(-s.At.Sub(e.socket.Since))
	}
	e.socket = s
	return append(changes, Change{Kind: Updated, Socket: s, Stuck: e.stuck, At: s.At})
}

// closedIdle reports whether a flow that was idle has nothing but its FIN under
// way: whoever waited there waits no more.
func closedIdle(before, s flow.Socket) bool {
	idle := before.Timeouts == 0 && before.State == flow.Established
	return idle && s.Live && s.Orphan && s.FinOutstanding && s.AtRisk() == 0
}

func (m *Monitor) suspect(changes []Change, s flow.Socket) []Change {
	if !s.Live || s.MPTCP {
		return changes
	}
	if len(m.flows) >= m.limit {
		m.refused++
		m.owed = owedLooks
		return changes
	}
	m.flows[s.ID] = &entry{socket: s, seen: m.snapshots}
	m.suspects++
	return append(changes, Change{Kind: Suspected, Socket: s, At: s.At})
}

// Snapshot takes a complete reading of all suspects, made at a time. Flows
// that are absent from two in a row, and for 2 s, have vanished.
func (m *Monitor) Snapshot(sockets []flow.Socket, at time.Time) []Change {
	m.snapshots++
	if m.Owed() {
		m.owed--
	}
	changes := make([]Change, 0, len(sockets))
	for _, s := range sockets {
		changes = m.observe(changes, s)
	}
	for _, e := range m.flows {
		changes = m.miss(changes, e, at)
	}
	return changes
}

// Owed reports whether flows may stand still that are not held and that the
// kernel side takes for known: they were refused, forgotten, or missed. Complete
// snapshots show them again, if there is room for them.
func (m *Monitor) Owed() bool { return m.owed > 0 && len(m.flows) < m.limit }

// Scanned takes that a file scan began at a time and has been made: the flows
// that no snapshot has, and that the scan before it did not show, have vanished.
func (m *Monitor) Scanned(began time.Time) []Change {
	var changes []Change
	for _, e := range m.flows {
		if e.socket.Unstored && e.socket.At.Before(m.scanned) {
			changes = append(changes, m.remove(e, Change{Kind: Vanished, Socket: e.socket, At: began}))
		}
	}
	m.scanned = began
	return changes
}

// Reread takes a reading, made at a time, that has at least the named flows,
// as far as they live. Those of them that are absent from two in a row, and
// for 2 s, have vanished.
func (m *Monitor) Reread(named []flow.ID, sockets []flow.Socket, at time.Time) []Change {
	m.snapshots++
	changes := make([]Change, 0, len(sockets))
	for _, s := range sockets {
		changes = m.observe(changes, s)
	}
	for _, id := range named {
		if e := m.flows[id]; e != nil {
			changes = m.miss(changes, e, at)
		}
	}
	return changes
}

// miss counts the absence of a flow from a reading that should have it.
func (m *Monitor) miss(changes []Change, e *entry, at time.Time) []Change {
	if e.seen == m.snapshots || e.socket.Unstored || e.socket.At.After(at) {
		return changes
	}
	if e.absentSince.IsZero() {
		e.absentSince = at
	}
	if at.Sub(e.absentSince) < absentFor {
		return changes
	}
	m.owed = owedLooks // it may live, and have been missed
	return append(changes, m.remove(e, Change{Kind: Vanished, Socket: e.socket, At: at}))
}

// Stalest returns the n flows whose last reading is the oldest, or all of
// fewer.
func (m *Monitor) Stalest(n int) []flow.ID {
	type reading struct {
		id flow.ID
		at time.Time
	}
	readings := make([]reading, 0, len(m.flows))
	for id, e := range m.flows {
		readings = append(readings, reading{id, e.socket.At})
	}
	if len(readings) > n {
		slices.SortFunc(readings, func(a, b reading) int { return a.at.Compare(b.at) })
		readings = readings[:n]
	}
	ids := make([]flow.ID, len(readings))
	for i, r := range readings {
		ids[i] = r.id
	}
	return ids
}

// End takes the end of a socket.
func (m *Monitor) End(end flow.End) []Change {
	e := m.flows[end.ID]
	if e == nil {
		return nil
	}
	return []Change{m.remove(e, Change{Kind: Ended, Socket: e.socket, End: &end, At: end.At})}
}

// Tick returns the flows that have made no progress for long enough, oldest
// first. A flow is returned until Stick is called for it: what the last
// reading says may have changed since, so take a snapshot first.
func (m *Monitor) Tick(now time.Time) []Change {
	var due []Change
	if m.suspects == 0 {
		return nil
	}
	for _, e := range m.flows {
		if !e.stuck && !now.Before(m.due(e)) {
			due = append(due, Change{Kind: Due, Socket: e.socket, At: now})
		}
	}
	slices.SortFunc(due, func(a, b Change) int { return a.Socket.Since.Compare(b.Socket.Since) })
	return due
}

// Next returns when the next suspect will be due; zero: there is none.
func (m *Monitor) Next() time.Time {
	var next time.Time
	if m.suspects == 0 {
		return next
	}
	for _, e := range m.flows {
		if e.stuck {
			continue
		}
		if at := m.due(e); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (m *Monitor) due(e *entry) time.Time {
	at := e.socket.Since.Add(m.stuckAfter)
	if at.Before(e.notBefore) {
		return e.notBefore
	}
	return at
}

// Postpone keeps a suspect that turned out to be healthy from being due before
// a time.
func (m *Monitor) Postpone(id flow.ID, until time.Time) {
	if e := m.flows[id]; e != nil {
		e.notBefore = until
	}
}

// Forget drops a flow; a later reading may make it a suspect again, and one is
// Owed, for it may stand still.
func (m *Monitor) Forget(id flow.ID) {
	if e := m.flows[id]; e != nil {
		m.remove(e, Change{})
		m.owed = owedLooks
	}
}

// Stick makes a suspect stuck. It reports whether the flow was a suspect.
func (m *Monitor) Stick(id flow.ID) bool {
	e := m.flows[id]
	if e == nil || e.stuck {
		return false
	}
	e.stuck = true
	m.suspects--
	return true
}

// Socket returns the last reading of a flow.
func (m *Monitor) Socket(id flow.ID) (s flow.Socket, stuck, ok bool) {
	e := m.flows[id]
	if e == nil {
		return flow.Socket{}, false, false
	}
	return e.socket, e.stuck, true
}

// Suspects returns how many flows are under suspicion and not stuck.
func (m *Monitor) Suspects() int { return m.suspects }

// Len returns how many flows are held.
func (m *Monitor) Len() int { return len(m.flows) }

// Refused returns how many suspects found the monitor full.
func (m *Monitor) Refused() uint64 { return m.refused }

func (m *Monitor) remove(e *entry, c Change) Change {
	delete(m.flows, e.socket.ID)
	if !e.stuck {
		m.suspects--
	}
	c.Stuck = e.stuck
	return c
}
