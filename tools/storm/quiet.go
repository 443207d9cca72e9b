package main

import (
	"context"
	"fmt"
	"time"
)

// settle is how long an agent that has just started is left alone.
const settle = 8 * time.Second

// settles leaves an agent that has just started alone.
func settles(ctx context.Context, _ *bench) error { return pause(ctx, settle) }

// measureIdle watches the agent while nothing happens.
func measureIdle(ctx context.Context, b *bench) error {
	if err := pause(ctx, min(settle, b.size.idle)); err != nil {
		return err
	}
	used, err := cpuDuring(ctx, b.size.idle, b.agent.pid())
	if err != nil {
		return err
	}
	percent := 100 * used[0].Seconds() / b.size.idle.Seconds()
	b.report.atMost("idle agent, CPU", percent, 0.05, "% of a core")
	return measureResting(ctx, b)
}

// measureResting reports the memory of the idle agent.
func measureResting(_ context.Context, b *bench) (err error) {
	if b.resting, err = rss(b.agent.pid(), "VmRSS"); err != nil {
		return err
	}
	b.report.atMost(b.size.name("idle agent, RSS"), b.resting, 30, "MB")
	return nil
}

// cpuDuring returns what each process uses in the next time.
func cpuDuring(ctx context.Context, window time.Duration, pids ...int) ([]time.Duration, error) {
	used := make([]time.Duration, len(pids))
	for i, pid := range pids {
		before, err := cpu(pid)
		if err != nil {
			return nil, err
		}
		used[i] = -before
	}
	if err := pause(ctx, window); err != nil {
		return nil, err
	}
	for i, pid := range pids {
		now, err := cpu(pid)
		if err != nil {
			return nil, err
		}
		used[i] += now
	}
	return used, nil
}

// measureStateChanges opens and closes connections.
func measureStateChanges(_ context.Context, b *bench) error {
	all, err := measure(func() error {
		_, err := b.world.connectors[0].tell("churn %d %s:%d", b.size.sockets/2, stormBackend(0).service(), sinkPort)
		return err
	}, b.agent.pid())
	if err != nil {
		return err
	}
	what := fmt.Sprintf("state change of a connection, in kernel (%d runs)", all.total("set_state").count)
	b.report.atMost(what, median(all.each("set_state")[0]), 100, "ns")
	return nil
}

const (
	streams    = 20
	lossy      = 10 // of 1,000 segments
	kindsLabel = `kind="%s"`

	// emptyRuns is how much more than a program that does nothing a healthy
	// retransmission may cost, in runs of that program.
	emptyRuns = 2
)

// measureHealthy loses some segments of fast connections, and measures the cost
// of their retransmissions.
func measureHealthy(ctx context.Context, b *bench) (err error) {
	c, err := startComparator(b.world.net)
	if err != nil {
		return err
	}
	defer func() { _ = c.kill() }()
	if _, err := b.world.connectors[0].tell("open bulk %d %s:%d", streams, stormBackend(0).service(), sinkPort); err != nil {
		return err
	}
	if err := b.world.net.backends.do(func() error { return lose(lossy) }); err != nil {
		return err
	}
	if _, err := b.world.connectors[0].tell("pour bulk"); err != nil {
		return err
	}
	if err := b.compareHealthy(ctx, c); err != nil {
		return err
	}
	if _, err := b.world.connectors[0].tell("close bulk"); err != nil {
		return err
	}
	return b.world.net.backends.do(func() error { return lose(0) })
}

func (b *bench) compareHealthy(ctx context.Context, c *child) error {
	before, err := b.agent.scrape(ctx)
	if err != nil {
		return err
	}
	woken := [2]int{}
	all, err := measure(func() error {
		for i, pid := range []int{b.agent.pid(), c.pid()} {
			n, err := switches(pid)
			if err != nil {
				return err
			}
			woken[i] = -n
		}
		if err := pause(ctx, b.size.window); err != nil {
			return err
		}
		for i, pid := range []int{b.agent.pid(), c.pid()} {
			n, err := switches(pid)
			if err != nil {
				return err
			}
			woken[i] += n
		}
		return nil
	}, b.agent.pid(), c.pid(), b.witness.pid())
	if err != nil {
		return err
	}
	now, err := b.agent.scrape(ctx)
	if err != nil {
		return err
	}
	kind := func(k string) float64 {
		label := fmt.Sprintf(kindsLabel, k)
		return now.sum("tcpstuck_retransmissions_total", label) - before.sum("tcpstuck_retransmissions_total", label)
	}
	healthy, timeouts := kind("fast")+kind("tail_loss_probe"), kind("timeout")
	b.report.tell("healthy retransmissions made", number(healthy), number(timeouts)+" timeouts among them")
	costs := all.each("retransmit", "record_each", "empty")
	nothing := costs[2]
	ours, theirs := minus(costs[0], nothing), minus(costs[1], nothing)
	b.report.tell("a program that does nothing", number(median(nothing))+" ns", "")
	b.report.sliceShare("healthy retransmission, in kernel, more than nothing", ours, nothing, emptyRuns, "ns", "a program that does nothing")
	b.report.sliceRatio("healthy retransmission, in kernel, beside a record for each", ours, theirs, "ns", "comparator")
	perThousand := func(n int) float64 { return 1000 * float64(n) / max(healthy, 1) }
	b.report.share("wake-ups of user space for 1,000 of them", perThousand(woken[0]), perThousand(woken[1]), 0.1, "", "comparator")
	return nil
}
