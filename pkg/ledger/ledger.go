package ledger

import (
	"math"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Options of a Ledger.
type Options struct {
	Node, BootID string        // its findings carry them
	StuckAfter   time.Duration // without progress make a flow stuck
	MaxFlows     int           // held at once; a tenth of these may be suppressed
	KeepEnded    int           // findings that are over; see endedEntries
	HostNetNS    uint32        // in this namespace processes own flows, not the namespace
}

// Ledger holds the flows. It is for one goroutine; View is safe for concurrent use.
type Ledger struct {
	o     Options
	began epoch
	table *table
	view  *View

	due      queue    // suspects, and flows that wait for a time, ordered by that time
	rotation rotation // all, in the order in which they are read again
	quotas   quotas
	passed   passedOver

	refusedAt   time.Time
	silent      int // held flows without Socket.Signals
	looks       uint64
	owed        owed
	scanned     time.Duration // the begin of the last file scan
	anyUnstored bool          // a flow that no snapshot shows was read once
}

// New returns an empty ledger.
func New(o Options, now time.Time) *Ledger {
	t := newTable(o.KeepEnded)
	return &Ledger{
		o: o, began: epoch(now), table: t, view: &View{node: o.Node, bootID: o.BootID, table: t},
		quotas: newQuotas(o.HostNetNS), passed: newPassedOver(), scanned: math.MinInt64,
	}
}

// View returns what readers see.
func (l *Ledger) View() *View { return l.view }

// slot is the place of a flow that is not over.
type slot struct {
	entry       *Entry    // readers see it
	readAt      time.Time // of the last reading, even if entry does not show it
	notBefore   time.Duration
	absentSince time.Duration // the first snapshot that lacked it; 0: the last one had it
	seen        uint64        // the last reading that had it

	early    bool // its look before an early end was made
	dueAt    time.Duration
	queued   int // its place in the queue; -1: it is not there
	rotating int // its place in the rotation
	class    class
	share    *share
	held     int // its place in the share
}

// epoch is the zero of the slots' times: a duration takes a third of the room of a time.
type epoch time.Time

func (e epoch) until(t time.Time) time.Duration { return t.Sub(time.Time(e)) }

func (e epoch) time(d time.Duration) time.Time { return time.Time(e).Add(d) }

// Observe takes a reading of one socket.
func (l *Ledger) Observe(s flow.Socket) []Change {
	var changes []Change
	l.anyUnstored = l.anyUnstored || s.Unstored
	at := l.table.slots[s.ID]
	if at == nil {
		return l.suspect(changes, s)
	}
	at.absentSince, at.seen = 0, l.looks
	over := func(kind Kind) []Change {
		l.remove(at)
		return append(changes, Change{Kind: kind, Entry: at.entry, At: s.At})
	}
	switch fateOf(at.entry, at.readAt, s) {
	case overtaken:
		return changes
	case closed:
		return over(Closed)
	case lingers:
		return l.suspect(over(Closed), s)
	case recovered:
		return over(Recovered)
	case moved:
		return l.suspect(over(Recovered), s)
	case resumes:
		at.readAt = s.At
		return changes
	}
	written := at.entry.reading.timeouts == 0 && s.Timeouts > 0
	at.readAt = s.At
	l.show(at, at.entry.Read(sameEpisode(at.entry, s)))
	if written {
		changes = append(changes, Change{Kind: Written, Entry: at.entry, At: s.At})
	}
	return changes
}

func (l *Ledger) suspect(changes []Change, s flow.Socket) []Change {
	if !s.Live || s.MPTCP || l.passed.over(s) {
		return changes
	}
	by := l.quotas.ownerOf(s.NetNS, s.Process())
	if l.Len() >= l.o.MaxFlows {
		l.table.refused.Add(1)
		l.refusedAt = s.At
		l.owed.again()
		victim := l.quotas.victim(by)
		if victim == nil {
			return changes
		}
		l.remove(victim)
		changes = append(changes, Change{Kind: Dropped, Entry: victim.entry, At: s.At})
	}
	at := &slot{entry: newEntry(s), readAt: s.At, seen: l.looks, queued: -1}
	l.table.add(at)
	l.silent += silence(at.entry)
	l.quotas.of[watched].add(at, by)
	l.rotation.add(at)
	l.due.schedule(at, l.began, l.o.StuckAfter)
	return append(changes, Change{Kind: Suspected, Entry: at.entry, At: s.At})
}

// BeginLook says that a look at the suspects begins. Observe takes what it shows.
func (l *Ledger) BeginLook() {
	l.looks++
	l.owed.begin(l.looks, l.Len() < l.o.MaxFlows)
}

// Absent says that the last look, which began at a time, was complete. Flows that
// two looks in a row lack, 2 s apart, have vanished.
func (l *Ledger) Absent(at time.Time) []Change {
	l.owed.pay()
	var changes []Change
	for _, s := range l.table.slots {
		changes = l.miss(changes, s, at)
	}
	return changes
}

// AbsentAmong says that the last look, which began at a time, showed at least those
// of the named flows that live. Named flows that two looks in a row lack, 2 s apart,
// have vanished.
func (l *Ledger) AbsentAmong(named []flow.ID, at time.Time) []Change {
	var changes []Change
	for _, id := range named {
		if s := l.table.slots[id]; s != nil {
			changes = l.miss(changes, s, at)
		}
	}
	return changes
}

// miss counts the absence of a flow from a reading that should show it.
func (l *Ledger) miss(changes []Change, s *slot, at time.Time) []Change {
	if s.seen == l.looks || s.entry.reading.flags&isUnstored != 0 || s.readAt.After(at) {
		return changes
	}
	now := max(1, l.began.until(at))
	if s.absentSince == 0 {
		s.absentSince = now
	}
	if now-s.absentSince < absentFor {
		return changes
	}
	l.owed.again() // it may live, and the looks may have missed it
	l.remove(s)
	return append(changes, Change{Kind: Vanished, Entry: s.entry, At: at})
}

// Scanned notes a file scan that began at a time. Flows that no snapshot shows
// have vanished if neither this scan nor the one before showed them.
func (l *Ledger) Scanned(began time.Time) []Change {
	var changes []Change
	last := l.scanned
	l.scanned = l.began.until(began)
	if !l.anyUnstored {
		return nil
	}
	for _, s := range l.table.slots {
		if s.entry.reading.flags&isUnstored != 0 && l.began.until(s.readAt) < last {
			l.remove(s)
			changes = append(changes, Change{Kind: Vanished, Entry: s.entry, At: began})
		}
	}
	return changes
}

// End takes the end of a socket.
func (l *Ledger) End(end flow.End) []Change {
	l.passed.forget(end.ID)
	s := l.table.slots[end.ID]
	if s == nil {
		return nil
	}
	l.remove(s)
	return []Change{{Kind: Ended, Entry: s.entry, End: &end, At: end.At}}
}

// Owed reports whether flows may stand still that are not held and that the
// kernel side takes for known: they were refused, dropped, forgotten, or missed.
// Complete snapshots show them again, if there is room for them.
func (l *Ledger) Owed() bool { return l.owed.looks > 0 && l.Len() < l.o.MaxFlows }

// Forget drops a flow. A later reading may make it a suspect again. A complete
// snapshot is then Owed, because the flow may stand still.
func (l *Ledger) Forget(id flow.ID) {
	if s := l.table.slots[id]; s != nil {
		l.remove(s)
		l.owed.again()
	}
}

// remove takes a flow out. No reader sees it any more, until it is put among
// those that are over.
func (l *Ledger) remove(s *slot) {
	l.table.remove(s.entry.ID())
	l.silent -= silence(s.entry)
	l.due.remove(s)
	l.rotation.remove(s)
	l.quotas.of[s.class].remove(s)
}

// show replaces an entry.
func (l *Ledger) show(s *slot, e *Entry) {
	if e.life != s.entry.life {
		l.due.remove(s)
	}
	l.silent += silence(e) - silence(s.entry)
	l.table.show(s, e)
	l.due.schedule(s, l.began, l.o.StuckAfter)
	l.quotas.rehome(s)
}

// Put stores the new entry of a held flow, or files one that is over.
func (l *Ledger) Put(e *Entry) {
	if e.life == Over {
		l.table.end(e)
		return
	}
	s := l.table.slots[e.ID()]
	if s == nil {
		return
	}
	l.show(s, e)
	if all := &l.quotas.of[suppressed]; all.size > l.o.MaxFlows/suppressedPart {
		over := all.greediest()
		l.remove(over)
		l.passed.add(over.entry)
	}
}

// Silent reports whether the ledger holds a flow without Socket.Signals. The agent has to
// look at such a flow to learn that it has recovered.
func (l *Ledger) Silent() bool { return l.silent > 0 }

// silence is what a flow adds to the count of silent ones: 0 if it has Socket.Signals.
func silence(e *Entry) int {
	if e.reading.flags&isSignalling != 0 {
		return 0
	}
	return 1
}

// Entry returns a flow that is held; nil: it is not.
func (l *Ledger) Entry(id flow.ID) *Entry {
	if s := l.table.slots[id]; s != nil {
		return s.entry
	}
	return nil
}

// Entries returns the flows that are held, in no order.
func (l *Ledger) Entries() []*Entry { return l.table.entries() }

// Len returns how many flows are held.
func (l *Ledger) Len() int { return len(l.table.slots) }

// shortFor is how long the ledger counts as short of room, at least, after a flow
// found none.
const shortFor = time.Minute

// Short reports whether flows may stand still that found no room, or that made room for the
// flows of another owner. It returns how often that happened, and how many flows have room.
func (l *Ledger) Short(now time.Time) (refused uint64, most int, short bool) {
	full := l.Len() >= l.o.MaxFlows || l.owed.looks > 0
	refused = l.table.refused.Load()
	return refused, l.o.MaxFlows, refused > 0 && (full || now.Sub(l.refusedAt) < shortFor)
}

// Oldest returns the flow of a network namespace that has made no progress for
// longest, among those that fit; nil: none does.
func Oldest(entries []*Entry, netns uint32, fits func(*Entry) bool) *Entry {
	var oldest *Entry
	for _, e := range entries {
		if e.reading.netns == netns && (oldest == nil || e.Since().Before(oldest.Since())) && fits(e) {
			oldest = e
		}
	}
	return oldest
}
