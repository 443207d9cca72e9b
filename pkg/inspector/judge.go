package inspector

import (
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

const (
	healthyFor    = 10 * time.Second // until an idle flow that is not stuck is looked at again
	revisedEvery  = 10 * time.Second // at most, for one flow; the latest verdict wins
	manyTurns     = 2                // revisions in a row after which a flow waits twice as long for the next
	readFreshness = tick / 2         // a reading younger than that is as good as a new one
)

// judging is what a judgement depends on beside the flow.
type judging struct {
	stuckAfter time.Duration
	outOfDate  bool // the cluster's records
}

func (p *phases) judging() judging {
	return judging{p.stuckAfter, p.cluster.OutOfDate(time.Now())}
}

// verdict is the result of a judgement.
type verdict struct {
	entry    *ledger.Entry // to keep
	said     []said
	postpone time.Time // zero: not postponed
	await    time.Time // zero: not awaited
	forget   bool
}

// said is an event about a flow as it was then.
type said struct {
	kind  flow.EventType
	entry *ledger.Entry
}

// judge decides on a flow by its evidence. It is pure.
func (k *known) judge(now time.Time, j judging) verdict {
	switch {
	case k.why == isLost:
		return judgeLost(k.evidence)
	case k.why == isOver:
		return k.judgeOver()
	case k.entry.Life() == ledger.Stuck:
		return k.judgeAgain(now, j)
	case k.why == isDue:
		return k.judgeDue(now, j)
	}
	return verdict{entry: k.entry.Judge(k.evidence, diagnosis.Decide(&k.evidence))}
}

// judgeDue decides on a suspect that was read because it was due.
func (k *known) judgeDue(now time.Time, j judging) verdict {
	if k.evidence.Socket.Resuming() {
		return verdict{entry: k.entry, postpone: now.Add(tick)}
	}
	d := diagnosis.Decide(&k.evidence)
	e := k.entry.Judge(k.evidence, d)
	switch {
	case d.Healthy:
		return verdict{entry: e, postpone: k.evidence.Now.Add(healthyFor)}
	case !ledger.ReportAtOnce(d) && k.evidence.Now.Sub(k.evidence.Socket.Since) < j.stuckAfter:
		return verdict{entry: e}
	}
	kind, what := flow.EventStuck, "stuck"
	if d.Suppressed == flow.SuppressedAtRisk {
		kind, what = flow.EventAtRisk, "at risk"
	}
	e = e.Report(now, fmt.Sprintf("found %s: %s · %s", what, d.Symptom, d.Cause))
	return verdict{entry: e, said: []said{{kind, e}}}
}

// judgeAgain decides again on a reported flow.
func (k *known) judgeAgain(now time.Time, j judging) verdict {
	before := k.entry.Decision()
	d := decideAfter(before, &k.evidence)
	switch departed := k.entry.Departed(); {
	case before.Suppressed == flow.SuppressedAtRisk && d.Suppressed == "" && !d.Healthy && now.Sub(k.entry.ReadAt()) >= readFreshness:
		// Before it is called stuck it is read again: its peer may have answered
		// since the last reading.
		if k.why == isDue {
			return verdict{entry: k.entry, await: now.Add(tick)} // that reading failed
		}
		return verdict{entry: k.entry, await: now}
	case !d.Healthy:
	case departed.At.IsZero() && !j.outOfDate, departed.AnsweredSince(k.evidence):
		return over(k.entry.Judge(k.evidence, before), k.evidence.Now, flow.Recovered)
	case departed.IsBack(k.evidence.Backend):
		// Records that flap would withdraw a risk and report it anew at each turn.
		if again := k.entry.ReportedAt().Add(revisedEvery); before.Suppressed == flow.SuppressedAtRisk && now.Before(again) {
			return verdict{entry: k.entry, await: again}
		}
		e := k.entry.Judge(k.evidence, before).End(k.evidence.Now, "", nil, "withdrawn: the records have its backend again")
		return verdict{entry: e, forget: true, said: []said{{flow.EventEnded, e}}}
	default:
		// Its peer is not known to be back: only the cause is no longer known.
		d.Healthy, d.Suppressed = false, before.Suppressed
	}
	return revise(k.entry.Judge(k.evidence, d), now)
}

// decideAfter decides on a reported flow. A socket may have lost its process, in a pod: its network
// namespace goes with the pod, and then nothing that it sends leaves any more. That is no new
// cause.
func decideAfter(before diagnosis.Decision, e *diagnosis.Evidence) diagnosis.Decision {
	d := diagnosis.Decide(e)
	abandoned := e.Socket.Orphan && !e.Host && (e.Local.Exited || e.Local.PID == 0)
	if d.Symptom == flow.LocalDrop && before.Symptom != flow.LocalDrop && abandoned {
		return before
	}
	return d
}

// revise reports a verdict that has turned: once for each turn.
func revise(e *ledger.Entry, now time.Time) verdict {
	was, is := e.Reported(), e.Verdict()
	if was == is {
		return verdict{entry: e}
	}
	if was.Suppressed != "" && is.Suppressed == "" { // it was not reported before
		e = e.Report(now, fmt.Sprintf("found stuck: %s · %s", is.Symptom, is.Cause))
		return verdict{entry: e, said: []said{{flow.EventStuck, e}}}
	}
	last, turns := e.Revised()
	every := revisedEvery
	if turns >= manyTurns {
		every *= 2
	}
	if again := last.Add(every); now.Before(again) {
		return verdict{entry: e, await: again}
	}
	return revision(e, now)
}

func revision(e *ledger.Entry, now time.Time) verdict {
	v := e.Verdict()
	e = e.Revise(now, fmt.Sprintf("now judged %s · %s, backend %s", v.Symptom, v.Cause, v.Backend))
	return verdict{entry: e, said: []said{{flow.EventRevised, e}}}
}

// over ends a flow that a judgement found healthy.
func over(e *ledger.Entry, at time.Time, outcome flow.Outcome) verdict {
	e = e.End(at, outcome, nil, recovery(e.Decision().Symptom))
	return verdict{entry: e, forget: true, said: []said{{flow.EventRecovered, e}}}
}

// recovery says how a flow recovered.
func recovery(s flow.Symptom) string {
	if s == flow.HalfOpen {
		return "its peer sent something again"
	}
	return "made progress again"
}

// judgeLost makes a finding that is already over. The conntrack entry outlives
// its connection by some seconds, so the sources still know the connection.
func judgeLost(evidence diagnosis.Evidence) verdict {
	outcome := diagnosis.Outcome(*evidence.End)
	e := ledger.Lost(evidence, fmt.Sprintf("ended: %s; %s", outcome, lost(*evidence.End)))
	return verdict{entry: e, said: []said{{flow.EventDataLost, e}}}
}
