package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// The time within which a hang is reported, from the moment it began.
	reportTime = stuckAfter + 3*time.Second
	// The time after which a report is no longer awaited.
	forgotten = reportTime + 10*time.Second
)

// batch is connections that began to hang at the same time.
type batch struct {
	when  string // in the fault's own story
	conns []*conn
	at    time.Time
}

// onTime waits for the report of each connection, and demands that it came in time.
func onTime(ctx context.Context, o *Outcome, r *reports, batches ...batch) error {
	for _, b := range batches {
		if err := b.await(ctx, r); err != nil {
			return err
		}
		b.judge(o, r)
	}
	return nil
}

func (b batch) await(ctx context.Context, r *reports) error {
	waiting, cancel := context.WithDeadline(ctx, b.at.Add(forgotten))
	defer cancel()
	err := await(waiting, func() (bool, error) {
		n, err := r.count(b.conns, isReported)
		return n == len(b.conns), err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil // judge names the missing ones
	}
	return err
}

func (b batch) judge(o *Outcome, r *reports) {
	never, late := 0, 0
	var slowest time.Duration
	for _, c := range b.conns {
		stuck := r.of(c).stuck
		if stuck.IsZero() {
			never++
			continue
		}
		took := stuck.Sub(b.at)
		if slowest = max(slowest, took); took > reportTime {
			late++
		}
	}
	says := fmt.Sprintf("%d of %d connections that began to hang %s are reported, the slowest after %.1f s", len(b.conns)-never, len(b.conns), b.when, slowest.Seconds())
	if never+late == 0 {
		o.see("%s", says)
		return
	}
	o.lose("%s; %d came after more than %.0f s", says, late, reportTime.Seconds())
}
