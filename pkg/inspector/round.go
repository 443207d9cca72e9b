package inspector

import (
	"context"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// step is a part of the work that can wait: it takes some ten milliseconds
// where many flows are stuck.
type step func(context.Context)

// round is the regular work of one tick, in steps between which what is new
// has its turn.
type round struct{ steps []step }

// spare is ready when there is a step to be done and no record waits.
func (r *round) spare(records <-chan tracer.Record) <-chan struct{} {
	if len(r.steps) == 0 || len(records) > 0 {
		return nil
	}
	ready := make(chan struct{})
	close(ready)
	return ready
}

func (r *round) step(ctx context.Context) {
	next := r.steps[0]
	r.steps = r.steps[1:]
	next(ctx)
}

// first puts steps before all others.
func (r *round) first(steps []step) { r.steps = append(steps, r.steps...) }

// finish does what news kept waiting until the next tick. A step may be slow,
// so that what is new has its turn before the next one here too.
func (r *round) finish(ctx context.Context, news step) {
	for len(r.steps) > 0 && ctx.Err() == nil {
		r.step(ctx)
		news(ctx)
	}
}

// round returns the regular round: resync after a loss, a look at the flows
// under suspicion, the slow sweep, verdicts that time turns, and health.
func (i *Inspector) round() round {
	clear(i.entryless)
	lost := i.lostRecords()
	if lost {
		i.o.Meter.Resync()
	}
	swept := false
	steps := []step{
		func(ctx context.Context) { swept = i.sweepRegularly(ctx) },
		func(ctx context.Context) {
			if swept {
				i.seekTranslation(ctx)
				i.checkStale(ctx)
			}
		},
		func(ctx context.Context) { i.look(ctx, lost, swept) },
		i.askUnanswered,
		i.meetPeers,
	}
	steps = slices.Concat(steps, i.seekAgain(), i.seekIdle())
	return round{append(steps, i.judgeRegularly, i.due)}
}

// lostRecords reports whether the kernel side lost anything since the last
// round.
func (i *Inspector) lostRecords() bool {
	n, err := i.o.Kernel.Lost()
	if err != nil {
		i.sawKernel(err)
		return false
	}
	lost := n > i.lost
	i.lost = n
	return lost
}

// sweepRegularly makes the slow sweep when it is time, at the tick that is
// nearest to it, and reports whether it was.
func (i *Inspector) sweepRegularly(ctx context.Context) bool {
	now := time.Now()
	if now.Sub(i.sweptAt) < i.pace.every-tick/2 || !i.sweeps.allows(now) {
		return false
	}
	i.sweep(ctx)
	return true
}

// owes is how often a complete look may make good that a flow was let go of.
const owes = 10 * time.Second

// look reads everything after a loss or a read that failed, and where flows may
// stand still that are not held; otherwise what is new and some of what is known.
func (i *Inspector) look(ctx context.Context, lost, swept bool) {
	owed := i.monitor.Owed() && time.Since(i.owedAt) >= owes
	switch {
	case lost || i.unread || owed:
		if owed {
			i.owedAt = time.Now()
		}
		i.examine(ctx, i.snapshot(ctx))
	case (swept || i.monitor.Len() > 0) && i.readings.allows(time.Now()):
		i.examine(ctx, i.readAgain(ctx))
	}
	if n := i.monitor.Refused(); n > i.refused {
		i.o.Log.Error("more flows without progress than are held: some are not watched", "held", i.monitor.Len(), "refused", n)
		i.refused = n
	}
}

// judgeRegularly has verdicts turn with time, and all of them when the
// cluster's records became trusted, or ceased to be.
func (i *Inspector) judgeRegularly(ctx context.Context) {
	turned := i.checkHealth(ctx)
	if !turned && !i.judging.allows(time.Now()) {
		return
	}
	paid := i.searches.spent + i.asking.spent // by budgets of their own
	worked := cpuTimeOf(func() { i.rejudge(ctx, judgments, func(*file) bool { return turned }) })
	i.judging.spend(max(0, worked-(i.searches.spent+i.asking.spent-paid)), time.Now())
}
