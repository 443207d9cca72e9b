package ledger

import (
	"container/heap"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// again is the time until a due suspect is due again if it could not be read.
const again = 100 * time.Millisecond

// schedule puts a flow into the queue. A suspect is due once it has made no
// progress for long enough, or at once if its backend is gone. If the kernel aborts
// it before that, it is due once before its end, too.
func (q *queue) schedule(s *slot, began epoch, stuckAfter time.Duration) {
	e := s.entry
	if e.life != Suspect {
		q.scheduleEnd(s, began)
		return
	}
	at := began.until(e.reading.since.time(e.reading.at)) + stuckAfter
	if end := began.until(e.deadline.at.time(e.reading.at)) - beforeEnd; e.deadline.at != never && end < at && !s.early {
		at = end
	}
	if ReportAtOnce(e.Decision()) {
		at = 0
	}
	q.set(s, max(at, s.notBefore))
}

// beforeEnd is how long before the kernel aborts a suspect it is looked at, if that is before it
// counts as stuck. The socket is gone afterwards, and with it its owner.
const beforeEnd = 1200 * time.Millisecond

// scheduleEnd makes a reported flow due once the kernel should have aborted its
// socket, or earlier if it already waits for an earlier time. If it stands still
// after that, it is due again a second after each reading. Flows within a tenth
// of a second are due together, because one read serves many.
func (q *queue) scheduleEnd(s *slot, began epoch) {
	e := s.entry
	if e.deadline.at == never {
		return
	}
	at := max(began.until(e.deadline.at.time(e.reading.at))+again, began.until(s.readAt)+time.Second).Truncate(again) + again
	if s.queued >= 0 {
		at = min(at, s.dueAt)
	}
	q.set(s, at)
}

// Due returns the flows whose time has come, with the suspects that have made no
// progress for longest first. Read them before a decision: the last reading may
// be out of date.
func (l *Ledger) Due(now time.Time) []*Entry {
	var due []*Entry
	for at := l.began.until(now); len(l.due) > 0 && l.due[0].dueAt <= at; {
		s := l.due[0]
		due = append(due, s.entry)
		if s.entry.life != Suspect {
			l.due.remove(s)
			continue
		}
		s.early = true
		l.due.set(s, at+again)
	}
	slices.SortStableFunc(due, func(a, b *Entry) int { return a.Since().Compare(b.Since()) })
	return due
}

// Next returns the time when the next flow is due; zero: none waits.
func (l *Ledger) Next() time.Time {
	if len(l.due) == 0 {
		return time.Time{}
	}
	return l.began.time(l.due[0].dueAt)
}

// Postpone keeps a suspect that turned out to be healthy from being due before a
// time.
func (l *Ledger) Postpone(id flow.ID, until time.Time) {
	if s := l.table.slots[id]; s != nil {
		s.notBefore = l.began.until(until)
		l.due.schedule(s, l.began, l.o.StuckAfter)
	}
}

// Await makes a reported flow due at a time.
func (l *Ledger) Await(id flow.ID, at time.Time) {
	if s := l.table.slots[id]; s != nil && s.entry.life == Stuck {
		l.due.set(s, l.began.until(at))
	}
}

// queue is a heap of flows, ordered by the time when they are due.
type queue []*slot

func (q *queue) set(s *slot, at time.Duration) {
	s.dueAt = at
	if s.queued < 0 {
		heap.Push(q, s)
		return
	}
	heap.Fix(q, s.queued)
}

func (q *queue) remove(s *slot) {
	if s.queued >= 0 {
		heap.Remove(q, s.queued)
	}
}

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(a, b int) bool { return q[a].dueAt < q[b].dueAt }

// Swap implements heap.Interface.
func (q queue) Swap(a, b int) {
	q[a], q[b] = q[b], q[a]
	q[a].queued, q[b].queued = a, b
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	s := x.(*slot)
	s.queued = len(*q)
	*q = append(*q, s)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	s.queued = -1
	return s
}
