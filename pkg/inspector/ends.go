package inspector

import (
	"fmt"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// judgeOver decides what is reported of a flow that has left the ledger.
func (k *known) judgeOver() verdict {
	c, e := k.change, k.entry
	var v verdict
	switch {
	case e.Life() == ledger.Stuck && (c.Kind == ledger.Ended || c.Kind == ledger.Vanished):
		v = k.lastWord()
		e = v.entry
	case e.Life() == ledger.Suspect && k.diedUnreported():
		if k.dying() {
			e = e.Judge(k.evidence, diagnosis.Decide(&k.evidence))
		}
		d := e.Decision()
		e = e.Report(c.At, fmt.Sprintf("the kernel gave up before it was due to be reported: %s · %s", d.Symptom, d.Cause))
		v.said = []said{{flow.EventStuck, e}}
	case e.Life() == ledger.Suspect:
		return verdict{}
	}
	outcome := outcomeOf(c)
	if d := e.Decision(); d.Suppressed == flow.SuppressedAtRisk && outcome == flow.TimedOut {
		d.Suppressed = "" // the risk was reported, so its outcome is reported, too
		e = e.Judge(e.Evidence(), d)
	}
	kind := flow.EventEnded
	if outcome == flow.Recovered {
		kind = flow.EventRecovered
	}
	v.entry = e.End(c.At, outcome, c.End, endLine(c, outcome, e))
	v.said = append(v.said, said{kind, v.entry})
	return v
}

// lastWord judges a flow that is over by its last reading, which may not have had
// its turn.
func (k *known) lastWord() verdict {
	before := k.entry.Decision()
	k.evidence.Now = k.change.At
	d := decideAfter(before, &k.evidence)
	if d.Healthy {
		return verdict{entry: k.entry}
	}
	d.Suppressed = before.Suppressed // a flow that is over is not reported for the first time
	e := k.entry.Judge(k.evidence, d)
	if e.Verdict() == e.Reported() {
		return verdict{entry: e}
	}
	return revision(e, k.change.At)
}

// diedUnreported reports whether a suspect lost bytes by a time-out before it was
// due to be reported, as with a short TCP_USER_TIMEOUT. A failed connect loses
// none, and its owner knows.
func (k *known) diedUnreported() bool {
	end := k.change.End
	return end != nil && diagnosis.Outcome(*end) == flow.TimedOut && end.Unsent+end.Unacknowledged > 0
}

func outcomeOf(c ledger.Change) flow.Outcome {
	switch c.Kind {
	case ledger.Recovered:
		return flow.Recovered
	case ledger.Closed:
		return flow.Closed
	case ledger.Ended:
		return diagnosis.Outcome(*c.End)
	}
	return ""
}

// endLine is the last line of a flow's history.
func endLine(c ledger.Change, outcome flow.Outcome, e *ledger.Entry) string {
	switch c.Kind {
	case ledger.Vanished:
		return "gone; how it ended was not seen"
	case ledger.Dropped:
		return "not watched any more: it makes room for flows of others"
	case ledger.Closed:
		return "closed by its owner while it was idle; nothing was lost"
	case ledger.Recovered:
		return recovery(e.Decision().Symptom)
	}
	errno := diagnosis.Errno(c.End.Err)
	if errno != "" {
		errno = " (" + errno + ")"
	}
	return fmt.Sprintf("ended: %s%s; %s", outcome, errno, lost(*c.End))
}

func lost(end flow.End) string {
	return fmt.Sprintf("bytes never sent: %d, sent and unacknowledged: %d", end.Unsent, end.Unacknowledged)
}
