package inspector

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// reason is why a flow is to be judged.
type reason int

const (
	isSuspected  reason = iota // for the first time
	isDue                      // its time has come, and it was read for that
	isMoved                    // the records of its ends have changed
	isAged                     // it has its turn: time may turn its verdict
	isUnanswered               // conntrack had no answer to the last question
	isOver                     // it has left the ledger
	isLost                     // it lost bytes and was not reported before
)

// task is one flow to judge.
type task struct {
	why    reason
	id     flow.ID
	change ledger.Change // of one that is over
	lost   *diagnosis.Evidence
}

// asked returns tasks with one reason.
func asked(entries []*ledger.Entry, why reason) []task {
	tasks := make([]task, len(entries))
	for n, e := range entries {
		tasks[n] = task{why: why, id: e.ID()}
	}
	return tasks
}

// phases hold the state of one turn.
type phases struct {
	ledger       *ledger.Ledger
	asker        *evidence.Asker
	cluster      Cluster
	reporter     reporter
	asking       *budget.Budget // pays for entries that have aged
	stuckAfter   time.Duration
	conntrackAge time.Duration
	upstreams    upstreams
	ownerless    bool         // a suspect without a known owner has come since the last file scan
	room         [share]known // of the flows that are in the phases: each takes 3 kB
}

// share is how many flows go through the phases at once: full evidence takes
// room.
const share = 256

// turn goes once through the phases, with what was collected and with further
// flows to judge.
func (p *phases) turn(ctx context.Context, got collected, beside []task) {
	tasks := append(p.apply(ctx, got), beside...)
	p.upstreams.forget()
	for len(tasks) > 0 && ctx.Err() == nil {
		some := tasks[:min(share, len(tasks))]
		tasks = tasks[len(some):]
		known := p.known(some)
		p.gather(ctx, known)
		if ctx.Err() != nil {
			break // not everything was asked
		}
		var said []said
		for _, k := range known {
			said = append(said, p.keep(k.judge(time.Now(), p.judging()))...)
		}
		p.reporter.begin(said)
	}
	p.reporter.wait()
}

// apply gives the ledger what was collected, in order of arrival.
func (p *phases) apply(ctx context.Context, got collected) []task {
	var tasks []task
	for _, r := range got.records {
		if ctx.Err() != nil {
			return nil
		}
		tasks = append(tasks, p.applyRecord(r)...)
	}
	if r := got.reading; r != nil {
		tasks = append(tasks, changed(p.applyReading(*r))...)
	}
	if !got.scanned.IsZero() {
		p.ownerless = false
		tasks = append(tasks, changed(p.ledger.Scanned(got.scanned))...)
	}
	return tasks
}

func (p *phases) applyRecord(r tracer.Record) (tasks []task) {
	if r.End != nil {
		tasks = p.applyEnd(*r.End)
	}
	if r.Suspect != nil {
		p.ownerless = p.ownerless || r.Suspect.PID == 0 && !r.Suspect.Orphan
		tasks = append(tasks, changed(p.ledger.Observe(*r.Suspect))...)
	}
	return tasks
}

// applyEnd takes the end of a socket: of a suspect, or of one that lost bytes
// without being a suspect. If the flow has a finding, or timed out as a suspect,
// its end is reported as the end of that finding.
func (p *phases) applyEnd(end flow.End) []task {
	before := p.ledger.Entry(end.ID)
	tasks := changed(p.ledger.End(end))
	if !diagnosis.Notable(end) || before != nil && (before.Life() == ledger.Stuck || end.Loss == flow.LostTimedOut) {
		return tasks
	}
	lost := &diagnosis.Evidence{}
	if before != nil {
		*lost = before.Evidence()
	}
	lost.Socket, lost.End = end.Last, &end
	return append(tasks, task{why: isLost, id: end.ID, lost: lost})
}

// applyReading makes a look and takes what it shows.
func (p *phases) applyReading(r reading) []ledger.Change {
	var failed error
	changes := p.ledger.Look(func(yield func(flow.Socket) bool) {
		failed = r.each(func(s flow.Socket) { yield(s) })
	})
	switch {
	case failed != nil:
		return changes
	case r.complete:
		return append(changes, p.ledger.Absent(r.at)...)
	}
	return append(changes, p.ledger.AbsentAmong(r.named, r.at)...)
}

func changed(changes []ledger.Change) []task {
	tasks := make([]task, len(changes))
	for n, c := range changes {
		tasks[n] = task{why: isOver, id: c.Entry.ID(), change: c}
		if c.Kind == ledger.Suspected || c.Kind == ledger.Written {
			tasks[n].why = isSuspected
		}
	}
	return tasks
}

// known returns what is known of the flows of tasks, without flows that have left
// the ledger since. A held flow is judged once, for its first reason, because a
// decision builds on the one before.
func (p *phases) known(tasks []task) []*known {
	all := make([]*known, 0, len(tasks))
	held := make(map[flow.ID]bool, len(tasks))
	for n, t := range tasks {
		k := &p.room[n]
		*k = known{task: t, entry: t.change.Entry}
		switch t.why {
		case isLost:
			k.evidence = *t.lost
		case isOver:
			k.evidence = k.entry.Evidence()
		default:
			if k.entry = p.ledger.Entry(t.id); k.entry == nil || held[t.id] {
				continue
			}
			held[t.id] = true
			k.evidence = k.entry.Evidence()
		}
		all = append(all, k)
	}
	return all
}
