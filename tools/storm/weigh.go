package main

import (
	"context"
	"fmt"
	"time"
)

// weigh reports what the agent and its kernel programs cost those who talk, as a share
// of the CPU of both. Other work on the machine moves both alike, so this decides what
// a comparison of what gets through cannot: its intervals are wider than the budget.
func (b *bench) weigh(ctx context.Context, client *child, all []*dialogue) error {
	if err := b.switchAgent(ctx, true); err != nil {
		return err
	}
	for _, d := range all {
		agent, talkers, err := d.weigh(client, b.agent.pid(), b.size.traffic.weighed)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("the agent's part in it, its kernel programs included: %s over %s", d.what, d.name)
		b.report.share(what, ms(agent), ms(talkers), 1-unharmed, "ms of CPU", "both programs")
	}
	return ctx.Err()
}

// weigh has the client talk for a window. It returns the CPU time of the agent with its
// kernel programs, and that of both who talk, which the programs are a part of.
func (d *dialogue) weigh(client *child, agent int, length time.Duration) (ours, theirs time.Duration, err error) {
	idle, err := cpu(agent)
	if err != nil {
		return 0, 0, err
	}
	before, err := d.spent(client)
	if err != nil {
		return 0, 0, err
	}
	runs, err := measure(func() error { _, err := d.talk(client, length); return err }, agent)
	if err != nil {
		return 0, 0, err
	}
	after, err := d.spent(client)
	if err != nil {
		return 0, 0, err
	}
	busy, err := cpu(agent)
	return busy - idle + runs.cost(), after - before, err
}

// cost returns the time of all programs: each takes as long as in the median slice.
func (c course) cost() (sum time.Duration) {
	names := map[string]bool{}
	for _, slice := range c {
		for name := range slice {
			names[name] = true
		}
	}
	for name := range names {
		sum += time.Duration(median(c.each(name)[0]) * float64(c.total(name).count))
	}
	return sum
}
