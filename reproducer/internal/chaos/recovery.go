package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

const (
	recoveryFlows = 5000
	recoveryHangs = 20 // of the neighbour
	// The time after which no recovered connection is listed as stuck.
	recoveryTime = 5 * time.Second
)

// massRecovery: flows that recover by the thousand are no longer stuck, and take no room
// from new hangs.
func massRecovery() Fault {
	return Fault{
		Name:  "mass-recovery",
		Story: fmt.Sprintf("%d connections are stuck, and recover at once; others beside them are healthy all along; some of a neighbour begin to hang then", recoveryFlows),
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			a, err := l.openArena(ctx, "recovering")
			defer func() { err = errors.Join(err, a.close(ctx, o)) }()
			if err != nil {
				return err
			}
			well, err := startHealthy(a.pod.NS, netip.AddrPortFrom(l.echo.ClusterIP, cluster.Port))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, well.stop()) }()
			neighbours, _, err := a.silent(ctx, a.neighbour, recoveryHangs)
			if err != nil {
				return err
			}
			many, err := a.stuckByTheThousand(ctx, o)
			if err != nil {
				return err
			}
			if err := a.recover(ctx, o, many); err != nil {
				return err
			}
			b, err := a.hang("just after", neighbours)
			if err != nil {
				return err
			}
			if err := onTime(ctx, o, a.reports, b); err != nil {
				return err
			}
			return a.allRecovered(ctx, o, many)
		},
	}
}

// stuckByTheThousand makes connections of the pod hang until each is reported.
func (a *arena) stuckByTheThousand(ctx context.Context, o *Outcome) ([]*conn, error) {
	many, _, err := a.lab.connect(ctx, a.pod.NS, recoveryFlows)
	if err != nil {
		return nil, err
	}
	a.conns = append(a.conns, many...)
	if err := a.lab.cluster.Cut(a.lab.cluster.Nodes[1].Machine); err != nil {
		return nil, err
	}
	b, err := a.hang("", many)
	if err != nil {
		return nil, err
	}
	o.inject(len(many))
	if err := b.await(ctx, a.reports); err != nil {
		return nil, err
	}
	if err := a.found(ctx); err != nil {
		o.lose("before they recover: %v", err)
	}
	return many, nil
}

// recover lets the connections recover, and demands that none of them is listed as stuck
// soon after.
func (a *arena) recover(ctx context.Context, o *Outcome, many []*conn) error {
	a.truth.risk(many...) // until the agent has to know
	restored := time.Now()
	if err := a.lab.cluster.Restore(a.lab.cluster.Nodes[1].Machine); err != nil {
		return err
	}
	for _, c := range many {
		if err := c.drained(ctx); err != nil {
			return fmt.Errorf("recover: %w", err)
		}
	}
	began := time.Now()
	a.truth.over(many...)
	left, err := a.awaitNone(ctx, began.Add(recoveryTime))
	if err != nil {
		return err
	}
	if left == 0 {
		o.see("all %d had recovered %.1f s after the path was restored; none is listed %.1f s after that", len(many), began.Sub(restored).Seconds(), time.Since(began).Seconds())
		return a.dumpSaysNothing(ctx, o)
	}
	o.lose("%d of %d are still listed as stuck %.0f s after they recovered", left, len(many), recoveryTime.Seconds())
	left, err = a.awaitNone(ctx, began.Add(findTime))
	o.see("%d of them are listed %.0f s after they recovered", left, time.Since(began).Seconds())
	return err
}

// awaitNone waits until the arena's agent lists nothing false, and returns how much it does
// at the end.
func (a *arena) awaitNone(ctx context.Context, end time.Time) (left int, err error) {
	waiting, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	err = awaitEvery(waiting, listInterval, func() (bool, error) {
		list, err := a.agent.flows(ctx)
		if err != nil {
			return false, err
		}
		left = len(a.truth.compare(list).extra)
		return left == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	return left, err
}

func (a *arena) dumpSaysNothing(ctx context.Context, o *Outcome) error {
	d, err := a.lab.dumpOf(ctx, a.agent)
	if err == nil && d.exit != 0 {
		o.lose("dump ends with exit status %d though nothing is stuck: %.500s", d.exit, d.says)
	}
	return err
}

// allRecovered demands an event of each recovery, and that nothing was reported as stuck
// again.
func (a *arena) allRecovered(ctx context.Context, o *Outcome, many []*conn) error {
	waiting, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	reported := 0
	err := await(waiting, func() (_ bool, err error) {
		reported, err = a.reports.count(many, isRecovered)
		return reported == len(many), err
	})
	if err != nil && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil) {
		return err
	}
	if reported < len(many) {
		o.lose("of %d recoveries %d have an event", len(many), reported)
	}
	again, err := a.reports.count(many, func(r report) bool { return r.relapsed })
	if again > 0 {
		o.lose("%d healthy connections were reported as stuck", again)
	}
	return err
}
