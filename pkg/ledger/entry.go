package ledger

import (
	"math"
	"net/netip"
	"time"
	"unique"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Life is the stage of a flow's life.
type Life uint8

// The stages of a life.
const (
	Suspect Life = iota // it makes no progress and is not reported
	Stuck               // it is reported, if only to be counted
	Over                // it has recovered or ended
)

// Entry is one flow: its last reading, the evidence, the last decision, and the
// last report. Its methods return values and new entries.
type Entry struct {
	reading  reading
	facts    facts
	decision unique.Handle[diagnosis.Decision]
	reported unique.Handle[Verdict]
	departed unique.Handle[Departed]
	revised  distance // when a changed verdict was last reported
	deadline abort
	history  history
	over     *over // only if it is over
	life     Life
	turns    uint8 // revisions of which each followed the one before within a minute
}

// Verdict is what is reported of a flow while it does not change.
type Verdict struct {
	diagnosis.Decision
	Backend flow.BackendState
}

// over is how and when a flow ended.
type over struct {
	at      time.Time
	outcome flow.Outcome
	err     string // errno name
}

// abort is the abort deadline of a reading.
type abort struct {
	never  bool
	at, by distance
}

// unasked is a flow about which nothing was asked yet. It is never written.
var unasked = newUnasked()

func newUnasked() Entry {
	f := packFacts(diagnosis.Evidence{})
	f.backend = unique.Make(backend{elsewhere: true}) // not even its address is known
	return Entry{
		facts: f, decision: unique.Make(diagnosis.Decision{}),
		reported: unique.Make(Verdict{}), departed: unique.Make(Departed{}), revised: never,
	}
}

// newEntry returns the entry of a suspect.
func newEntry(s flow.Socket) *Entry {
	e := unasked
	e.read(s)
	return &e
}

// Lost returns the entry of a flow that lost bytes and is over at its first
// report.
func Lost(evidence diagnosis.Evidence, line string) *Entry {
	end := evidence.End
	e := newEntry(evidence.Socket).Judge(evidence, diagnosis.Decide(&evidence)).Report(end.At, line)
	e.life, e.over = Over, &over{at: end.At, outcome: diagnosis.Outcome(*end), err: diagnosis.Errno(end.Err)}
	return e
}

func (e *Entry) read(s flow.Socket) {
	e.reading = pack(s)
	g := deadline.GivesUp(s)
	e.deadline = abort{never: g.Never, at: distanceOf(g.At, s.At), by: distanceOf(g.By, s.At)}
}

// ID returns the id of the flow.
func (e *Entry) ID() flow.ID { return e.reading.id }

// Life returns where in its life the flow is.
func (e *Entry) Life() Life { return e.life }

// Socket returns the last reading.
func (e *Entry) Socket() flow.Socket { return unpack(&e.reading) }

// ReadAt returns when the flow was last read.
func (e *Entry) ReadAt() time.Time { return e.reading.at }

// Tuple returns what the socket sends.
func (e *Entry) Tuple() flow.Tuple { return tuple([2]address{e.reading.local, e.reading.remote}) }

// Target returns the address that the flow's packets really go to: see Evidence.Target.
func (e *Entry) Target() netip.AddrPort {
	if e.facts.conntrack.entry == nil {
		return e.reading.remote.addrPort()
	}
	return e.facts.conntrack.entry.flow(e.Tuple()).Backend()
}

// Evidence returns the evidence on the flow.
func (e *Entry) Evidence() diagnosis.Evidence { return evidenceOn(e, new(room)) }

func evidenceOn(e *Entry, to *room) diagnosis.Evidence {
	evidence := e.facts.evidence(unpack(&e.reading), to)
	evidence.GivesUp = e.givesUp()
	return evidence
}

// Decision returns the last decision.
func (e *Entry) Decision() diagnosis.Decision { return e.decision.Value() }

// Verdict returns the verdict to report now.
func (e *Entry) Verdict() Verdict { return Verdict{e.decision.Value(), e.facts.backend.Value().state} }

// Reported returns the verdict that was last reported; zero: none.
func (e *Entry) Reported() Verdict { return e.reported.Value() }

// ReportedAt returns when the last line of its history was written; zero: there is none.
func (e *Entry) ReportedAt() time.Time { return e.history.latest() }

// Departed returns the pod that an idle flow waits for.
func (e *Entry) Departed() Departed { return e.departed.Value() }

// Outcome returns how and when the flow ended; zero: it is not over.
func (e *Entry) Outcome() (flow.Outcome, time.Time) {
	if e.over == nil {
		return "", time.Time{}
	}
	return e.over.outcome, e.over.at
}

func (e *Entry) givesUp() flow.GivesUp {
	return flow.GivesUp{Never: e.deadline.never, At: e.deadline.at.time(e.reading.at), By: e.deadline.by.time(e.reading.at)}
}

// Read returns the flow with a new reading. If that has no process, the known one
// stays.
func (e *Entry) Read(s flow.Socket) *Entry {
	if s.PID == 0 {
		s.PID, s.Started, s.Comm, s.FD = e.reading.pid, e.reading.started, e.reading.comm.Value(), e.reading.fd
	}
	next := *e
	next.facts = e.facts.moved(e.reading.at, s.At)
	next.revised = e.revised.moved(distance(e.reading.at.Sub(s.At)))
	next.read(s)
	return &next
}

// Judge returns the flow with new evidence on its last reading, and the decision
// on it.
func (e *Entry) Judge(evidence diagnosis.Evidence, d diagnosis.Decision) *Entry {
	next := *e
	next.facts = packFacts(evidence)
	next.facts = next.facts.moved(evidence.Socket.At, e.reading.at)
	next.decision = unique.Make(d)
	next.departed = unique.Make(e.Departed().noted(evidence, d))
	return &next
}

// Report returns the flow after its verdict was reported or, if it is suppressed,
// recorded: with a line in its history. A suspect is stuck from then on.
func (e *Entry) Report(at time.Time, line string) *Entry {
	next := *e
	next.history = e.history.with(at, line)
	next.reported = unique.Make(e.Verdict())
	next.life = max(e.life, Stuck)
	return &next
}

// Revise is Report of a verdict that differs from the last reported one.
func (e *Entry) Revise(at time.Time, line string) *Entry {
	next := e.Report(at, line)
	if last, turns := e.Revised(); turns == 0 || at.Sub(last) > restless {
		next.turns = 0
	}
	next.turns = min(next.turns, math.MaxUint8-1) + 1
	next.revised = distanceOf(at, e.reading.at)
	return next
}

// restless is how soon after a revision another one counts as the next turn of a
// verdict that does not settle.
const restless = time.Minute

// Revised returns when a changed verdict was last reported, and how many were
// reported in a row, each within a minute of the one before; zero: never.
func (e *Entry) Revised() (last time.Time, turns int) {
	return e.revised.time(e.reading.at), int(e.turns)
}

// Idle reports whether the flow has nothing outstanding.
func (e *Entry) Idle() bool { return diagnosis.Symptom(e.Socket()) == flow.HalfOpen }

// Unanswered reports whether conntrack could not answer when it was last asked.
func (e *Entry) Unanswered() bool { return e.facts.conntrack.unanswered }

// End returns the flow after its end. What it lost is known only if the kernel
// showed the end.
func (e *Entry) End(at time.Time, outcome flow.Outcome, end *flow.End, line string) *Entry {
	next := *e
	next.history = e.history.with(at, line)
	next.life, next.over = Over, &over{at: at, outcome: outcome}
	if end != nil {
		next.over.err = diagnosis.Errno(end.Err)
		next.reading.unsent, next.reading.unacknowledged, next.reading.state = end.Unsent, end.Unacknowledged, end.From
	}
	return &next
}
