package main

import (
	"context"
	"fmt"
	"time"
)

// weigh measures the CPU time of the agent and its kernel programs while a client and a
// server talk. It reports this time as a share of the CPU time of client and server.
// Other work on the machine slows both alike, so a share of one per cent shows here. It
// does not show in a comparison of what gets through with the agent and without it.
// These programs are short, and the kernel's statistics include the reading of its clock.
// So weigh subtracts that.
func (b *bench) weigh(ctx context.Context, client *child, all []*dialogue) error {
	if err := b.switchAgent(ctx, true); err != nil {
		return err
	}
	nothing, err := measureCalling()
	if err != nil {
		return err
	}
	b.report.ratio("the call of a kernel program that does nothing", nothing.costs, nothing.measured, "ns", "in the kernel's statistics")
	for _, d := range all {
		agent, talkers, err := d.weigh(client, b.agent.pid(), b.size.traffic.weighed, nothing.tare())
		if err != nil {
			return err
		}
		what := fmt.Sprintf("the agent's part in it, its kernel programs included: %s over %s", d.what, d.name)
		b.report.share(what, ms(agent), ms(talkers), 1-unharmed, "ms of CPU", "both programs")
	}
	return ctx.Err()
}

// weigh has the client talk for a window. Ours is the CPU time of the agent and of its
// kernel programs. Theirs is the CPU time of client and server: the kernel charges them
// for the programs that run in their system calls. Tare is how much the kernel's statistics
// overstate each run, in nanoseconds.
func (d *dialogue) weigh(client *child, agent int, length time.Duration, tare float64) (ours, theirs time.Duration, err error) {
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
	return busy - idle + runs.cost(tare), after - before, err
}

// cost returns the time of all programs. Each run counts as long as one in the median
// slice, less the tare.
func (c course) cost(tare float64) (sum time.Duration) {
	names := map[string]bool{}
	for _, slice := range c {
		for name := range slice {
			names[name] = true
		}
	}
	for name := range names {
		sum += time.Duration((median(c.each(name)[0]) - tare) * float64(c.total(name).count))
	}
	return sum
}
