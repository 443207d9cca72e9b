package inspector

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
)

// rejudge decides flows anew: with fresh cluster evidence where moved says
// so, with the conntrack entry asked for again where it has aged, and
// otherwise with what the last reading and the clock turn. Of the latter it
// takes again at most.
func (i *Inspector) rejudge(ctx context.Context, again int, moved func(*file) bool) {
	now := time.Now()
	left := refreshes
	var gone, ripe []flow.ID
	for id, f := range i.files {
		if ctx.Err() != nil {
			return
		}
		switch {
		case moved(f):
			f.evidence = i.gather(ctx, f.evidence.Socket, f.evidence, i.o.ConntrackAge)
		case again == 0 || now.Sub(f.evidence.Now) < tick/2:
			continue
		case f.stuck && left > 0 && now.Sub(f.evidence.Conntrack.At) >= i.o.ConntrackAge && !i.unanswered[id] && i.asking.allows(now):
			left, again = left-1, again-1
			i.askAgain(ctx, f)
			if i.unanswered[id] {
				left = 0 // while it fails, one question a round is enough
			}
		case f.stuck && i.zonesOpen(f.evidence):
			again--
			f.evidence.Now = now
			i.askZones(ctx, &f.evidence)
		default:
			again--
			f.evidence.Now = now
		}
		switch {
		case f.ripe():
			ripe = append(ripe, id)
		case i.judgeAgain(ctx, f):
			gone = append(gone, id)
		}
	}
	i.confirm(ctx, gone)
	i.ripen(ctx, ripe)
}

// askAgain asks for the conntrack entry of a flow again. It costs far more than
// to judge, and has a budget of its own: verdicts that the clock turns do not
// wait for it.
func (i *Inspector) askAgain(ctx context.Context, f *file) {
	searched := i.searches.spent
	worked := cpuTimeOf(func() {
		f.evidence = i.gather(ctx, f.evidence.Socket, f.evidence, 0)
		i.askZones(ctx, &f.evidence)
	})
	i.asking.spend(max(0, worked-(i.searches.spent-searched)), time.Now())
}

// judgeAgain decides a flow on the evidence in its file. It reports whether
// the flow was not told of yet and must be now.
func (i *Inspector) judgeAgain(ctx context.Context, f *file) bool {
	before := f.decision
	f.decision = diagnosis.Decide(f.evidence)
	if !f.stuck {
		return reportAtOnce(f.decision)
	}
	switch {
	case !f.decision.Healthy:
	case f.departed.at.IsZero() && !i.o.Cluster.OutOfDate(f.evidence.Now), f.departed.heard(f.evidence):
		f.decision = before
		i.finish(ctx, monitor.Change{Kind: monitor.Recovered, Socket: f.evidence.Socket, At: f.evidence.Now})
		i.monitor.Forget(f.evidence.Socket.ID)
		return false
	case f.departed.isBack(f.evidence.Backend):
		f.decision = before
		i.withdraw(f)
		return false
	default:
		// Nobody says that its peer is back: only why is not known any more.
		f.decision.Healthy, f.decision.Mute = false, before.Mute
	}
	i.revise(f, before)
	return false
}

// ripe reports whether a flow that was only at risk is to be called stuck, and
// its reading has aged: its peer may have been heard since.
func (f *file) ripe() bool {
	e := f.evidence
	if !f.stuck || f.decision.Mute != flow.MuteAtRisk || e.Now.Sub(e.Socket.At) < tick/2 {
		return false
	}
	d := diagnosis.Decide(e)
	return d.Mute == "" && !d.Healthy
}

// ripen reads these flows once more before they are called stuck. Who could not
// be read has to wait.
func (i *Inspector) ripen(ctx context.Context, ids []flow.ID) {
	if len(ids) == 0 {
		return
	}
	i.examine(ctx, i.lookAt(ctx, ids))
	for _, id := range ids {
		f := i.files[id]
		if f == nil || ctx.Err() != nil {
			continue
		}
		if f.evidence.Now = time.Now(); !f.ripe() {
			i.judgeAgain(ctx, f)
		}
	}
}

// revise publishes a verdict that has turned: once for each turn.
func (i *Inspector) revise(f *file, before diagnosis.Decision) {
	d := f.decision
	f.departed.note(f.evidence, d)
	if d == before && f.backend == f.evidence.Backend.State {
		return
	}
	f.backend = f.evidence.Backend.State
	if before.Mute != "" && d.Mute == "" { // nobody was told of it before
		i.tell(f, flow.EventStuck, "found stuck: %s · %s", d.Symptom, d.Cause)
		return
	}
	i.tell(f, flow.EventRevised, "now judged %s · %s, backend %s", d.Symptom, d.Cause, f.backend)
}
