package inspector

import (
	"context"
	"slices"
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
	waiting      []task       // at most a share of them
	room         [share]known // of the flows that are in the phases: each takes 3 kB
}

// share is how many flows go through the phases at once: full evidence takes
// room.
const share = 256

// turn goes once through the phases, with what was collected and with further
// flows to judge. It judges a flow as soon as the look shows it: in a storm, every
// verdict would otherwise wait until all flows are read.
func (p *phases) turn(ctx context.Context, got collected, beside []task) {
	p.upstreams.forget()
	p.add(ctx, p.applyRecords(ctx, got.records)...)
	if got.reading != nil {
		beside = p.applyReading(ctx, *got.reading, beside)
	}
	if !got.scanned.IsZero() {
		p.ownerless = false
		p.add(ctx, changed(p.ledger.Scanned(got.scanned))...)
	}
	p.add(ctx, beside...)
	p.work(ctx)
	p.reporter.wait()
}

// add has flows wait to be judged. They go on as soon as a share is full.
func (p *phases) add(ctx context.Context, tasks ...task) {
	for _, t := range tasks {
		p.waiting = append(p.waiting, t)
		if len(p.waiting) == share {
			p.work(ctx)
		}
	}
}

// work has the flows that wait go through the phases.
func (p *phases) work(ctx context.Context) {
	tasks := p.waiting
	p.waiting = p.waiting[:0]
	if len(tasks) == 0 || ctx.Err() != nil {
		return
	}
	known := p.known(tasks)
	p.gather(ctx, known)
	if ctx.Err() != nil {
		return // not everything was asked
	}
	var said []said
	for _, k := range known {
		said = append(said, p.keep(k.judge(time.Now(), p.judging()))...)
	}
	p.reporter.begin(said)
}

// applyRecords gives the ledger records, in order of arrival.
func (p *phases) applyRecords(ctx context.Context, records []tracer.Record) []task {
	var tasks []task
	for _, r := range records {
		if ctx.Err() != nil {
			return nil
		}
		tasks = append(tasks, p.applyRecord(r)...)
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

// applyReading makes a look and takes what it shows. Of the tasks beside it, it adds
// those whose flow the look shows, and returns the others.
func (p *phases) applyReading(ctx context.Context, r reading, beside []task) (left []task) {
	wait := make(map[flow.ID]task, len(beside))
	for _, t := range beside {
		wait[t.id] = t
	}
	p.ledger.BeginLook()
	failed := r.each(func(s flow.Socket) {
		p.add(ctx, changed(p.ledger.Observe(s))...)
		if t, ok := wait[s.ID]; ok && !needsOthers(s) {
			delete(wait, s.ID)
			p.add(ctx, t)
		}
	})
	switch {
	case failed != nil:
	case r.complete:
		p.add(ctx, changed(p.ledger.Absent(r.at))...)
	default:
		p.add(ctx, changed(p.ledger.AbsentAmong(r.named, r.at))...)
	}
	return slices.DeleteFunc(beside, func(t task) bool { _, waits := wait[t.id]; return !waits })
}

// needsOthers reports whether the verdict on a flow depends on the readings of
// others: a reader that stopped may itself wait for one of them.
func needsOthers(s flow.Socket) bool { return diagnosis.Symptom(s) == flow.ZeroWindow }

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
