package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// recovered is the time after which no recovered flow may be shown as stuck:
	// the budget, and the second within which each socket retransmits.
	recovered = 5*time.Second + time.Second
	// lookEvery is how often the agent is asked how many flows are stuck.
	lookEvery = 100 * time.Millisecond
)

// measureRecoveryInStorm opens the path of some flows while the storm goes on,
// and measures when each recovery has its event.
func measureRecoveryInStorm(ctx context.Context, b *bench) error {
	began := time.Now()
	if err := b.world.net.each(func() error { return lose(everything, silentBlock) }); err != nil {
		return err
	}
	events, err := b.awaitBlock(ctx, "recovered", silentBlock)
	if err != nil {
		return err
	}
	var took []time.Duration
	for _, e := range events {
		took = append(took, e.arrived.Sub(began))
	}
	b.report.exactly("flows that recover in the storm: events", len(events), b.size.singles)
	b.report.atMost("recovery of a flow in the storm, to its event, slowest", ms(quantile(took, 1)), ms(recovered), "ms")
	return nil
}

// measureRecovery opens the path, so that all sockets recover at once, and
// measures how long any flow of the storm is still reported as stuck.
func measureRecovery(ctx context.Context, b *bench) error {
	began := time.Now()
	if err := b.world.mend(); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, b.size.patience)
	defer cancel()
	left, err := b.awaitRecovered(waiting)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	took := time.Since(began)
	what := b.size.name("recovery of all at once, until none is reported as stuck")
	if b.size.onlyFits() {
		b.report.tell(what, number(ms(took))+" ms", fmt.Sprintf("%d are still", left))
		return nil
	}
	b.report.atMost(what, ms(took), ms(recovered), "ms")
	b.report.exactly("flows that are reported as stuck after that", left, 0)
	return nil
}

// awaitRecovered waits until no flow of the storm is reported as stuck. If ctx
// ends first, it returns how many are. Flows that stick alone do not count:
// their backends are gone.
func (b *bench) awaitRecovered(ctx context.Context) (left int, err error) {
	for alone := 3 * b.size.singles; ; {
		status, err := b.agent.client.Status(ctx)
		if err != nil {
			return b.size.sockets, err
		}
		if left = status.Stuck; left <= alone {
			if left, err = b.ofTheStorm(ctx); left == 0 || err != nil {
				return left, err
			}
		}
		if pause(ctx, lookEvery) != nil {
			return left, nil //nolint:nilerr // the caller sees that they are too many
		}
	}
}

// ofTheStorm returns how many flows of the storm the agent reports as stuck.
func (b *bench) ofTheStorm(ctx context.Context) (n int, err error) {
	list, err := b.agent.client.Flows(ctx, everyFlow)
	if err != nil {
		return 0, err
	}
	block := strings.TrimSuffix(backend{block: stormBlock}.service(), "0")
	for _, f := range list.Flows {
		if f.Suppressed == "" && (strings.HasPrefix(f.Peer.Addr.Addr().String(), block) || f.Local.Addr.Port() == port) {
			n++
		}
	}
	return n, nil
}
