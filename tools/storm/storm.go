package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// stuckAfter is the agent's default.
const stuckAfter = 10 * time.Second

// found waits until so many flows were reported, and returns the events.
func (b *bench) found(ctx context.Context, n int) ([]reported, error) {
	ctx, cancel := context.WithTimeout(ctx, b.size.patience)
	defer cancel()
	return b.events.await(ctx, n, "stuck", func(t reported) bool { return t.Flow.Local.Port == port || t.Flow.Peer.Port == port })
}

// measureOnset makes all sockets stick at once.
func measureOnset(ctx context.Context, b *bench) error {
	lookups, err := b.lookups(ctx)
	if err == nil {
		err = b.withoutEntries()
	}
	if err != nil {
		return err
	}
	before, err := cpu(b.agent.pid())
	if err != nil {
		return err
	}
	if err := b.world.cut(); err != nil {
		return err
	}
	events, err := b.found(ctx, b.size.sockets)
	if err != nil {
		return err
	}
	after, err := cpu(b.agent.pid())
	if err != nil {
		return err
	}
	if err := b.tellFound(ctx, b.size.name(""), len(events)); err != nil {
		return err
	}
	var late []time.Duration
	for _, e := range events {
		late = append(late, e.arrived.Sub(e.Flow.Since.Add(stuckAfter)))
	}
	b.tellDue(late, lookups)
	b.report.tell(b.size.name("agent CPU from the first timeout until all were reported"), number((after-before).Seconds())+" s", "")
	return nil
}

// lookups returns the time of the conntrack lookups alone, on this machine just now;
// 0: they are not measured.
func (b *bench) lookups(ctx context.Context) (time.Duration, error) {
	if b.entries == nil {
		return 0, nil
	}
	return b.entries.lookups(ctx)
}

// tellDue reports how late the events are if all flows are due at once, in units
// of the time of their conntrack lookups alone.
func (b *bench) tellDue(late []time.Duration, lookups time.Duration) {
	for _, q := range []struct {
		name  string
		share float64
		limit float64
	}{{"p50", 0.5, 1.3}, {"p99", 0.99, 2}} {
		what := b.size.name("all of them due at once: deadline to event, " + q.name)
		took := ms(quantile(late, q.share))
		if lookups == 0 {
			b.report.tell(what, number(took)+" ms", "")
			continue
		}
		b.report.share(what, took, ms(lookups), q.limit, "ms", "conntrack lookups alone")
	}
}

// tellFound compares the number of flows with how many were reported and are
// listed.
func (b *bench) tellFound(ctx context.Context, with string, events int) error {
	list, err := b.agent.client.Flows(ctx, everyFlow)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, f := range list.Flows {
		if f.Local.Addr.Port() == port || f.Peer.Addr.Port() == port { // not a stream that is still ending
			ids[f.ID.String()] = true
		}
	}
	b.report.exactly("flows found and listed"+with, len(ids), b.size.sockets)
	b.report.exactly("flows reported by an event"+with, events, b.size.sockets)
	return nil
}

// tellLosses reports what was lost on the way and found again.
func (b *bench) tellLosses(ctx context.Context, with string) {
	m, err := b.agent.scrape(ctx)
	if err != nil {
		return
	}
	lost := m.sum("tcpstuck_records_lost_total") - m.sum("tcpstuck_records_lost_total", `stage="limited"`)
	b.report.tell("records lost"+with, number(lost), number(m.sum("tcpstuck_resyncs_total"))+" resyncs made them good")
	b.report.exactly("events dropped"+with, int(m.sum("tcpstuck_events_dropped_total")), 0)
}

// measureStorm compares what the agent and others use while all sockets
// retransmit once a second.
func measureStorm(ctx context.Context, b *bench) error {
	c, err := startComparator(b.world.net)
	if err != nil {
		return err
	}
	defer func() { _ = c.kill() }()
	pids := []int{b.agent.pid(), c.pid()}
	var printed lineCount
	if b.size.bpftrace {
		p, err := startBpftrace(b.world.net.node, &printed)
		if err != nil {
			return fmt.Errorf("start bpftrace: %w", err)
		}
		defer func() { _ = p.kill() }()
		pids = append(pids, p.pid())
		if err := pause(ctx, 3*time.Second); err != nil { // until it is attached
			return err
		}
	}
	if err := b.comparePairs(ctx, c, pids); err != nil {
		return err
	}
	if b.size.bpftrace {
		b.report.atLeast("retransmissions that bpftrace printed", int(printed.n.Load()), 1)
	}
	all, err := measure(func() error { return pause(ctx, b.size.window) }, pids[0], pids[1], b.witness.pid())
	if err != nil {
		return err
	}
	costs := all.each("retransmit", "record_each", "empty")
	b.report.sliceShare("retransmission by timeout, in kernel", costs[0], costs[1], timeoutShare, "ns", "comparator")
	b.report.tell("the same, a program that does nothing", number(median(costs[2]))+" ns", "")
	return nil
}

// weighStorm reports the memory of the programs while the storm stands. It comes before the
// bench's own scrape, because code and garbage of a scrape belong to no flow.
func (b *bench) weighStorm(ctx context.Context, pids []int) error {
	for i, name := range []string{"agent", "comparator", "bpftrace"}[:len(pids)] {
		memory, err := rss(pids[i], "VmRSS")
		if err != nil {
			return err
		}
		b.report.tell("RSS in the storm, "+name, number(memory)+" MB", "")
	}
	return measureMemory(ctx, b)
}

// measureMemory reports the agent's memory in the storm, and for each flow.
func measureMemory(_ context.Context, b *bench) error {
	now, err := rss(b.agent.pid(), "VmRSS")
	if err != nil {
		return err
	}
	most, err := rss(b.agent.pid(), "VmHWM")
	if err != nil {
		return err
	}
	b.report.atMost(b.size.name("memory for each stuck flow, more than idle"), 1000*(now-b.resting)/float64(b.size.sockets), 2, "kB")
	b.report.atMost(b.size.name("RSS of the agent so far, at its peak"), most, b.size.memory, "MB")
	return nil
}

// timeoutShare is what a timeout may cost in the kernel, as a share of the cost
// of a record for each.
const timeoutShare = 0.6

// scrapeTrace is how long the agent may clear up after a scrape of the bench.
// That is no cost of the storm.
const scrapeTrace = 3 * time.Second

func (b *bench) comparePairs(ctx context.Context, c *child, pids []int) error {
	before, err := b.agent.scrape(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	_, lostBefore, err := records(c)
	if err != nil {
		return err
	}
	if err := pause(ctx, scrapeTrace); err != nil {
		return err
	}
	used := make([][]time.Duration, len(pids))
	for range b.size.pairs {
		window, err := cpuDuring(ctx, b.size.window, pids...)
		if err != nil {
			return err
		}
		for i := range pids {
			used[i] = append(used[i], window[i])
		}
	}
	if err := b.weighStorm(ctx, pids); err != nil {
		return err
	}
	read, lost, err := records(c)
	if err != nil {
		return err
	}
	now, err := b.agent.scrape(ctx)
	if err != nil {
		return err
	}
	elapsed := time.Since(began)
	seen := now.sum("tcpstuck_retransmissions_total") - before.sum("tcpstuck_retransmissions_total")
	b.report.tell("retransmissions in the storm", number(seen/elapsed.Seconds())+" a second", fmt.Sprintf("comparator: read %d, lost %d", read, lost-lostBefore))
	b.report.tell("CPU of the agent in each window", each(used[0]), "comparator: "+each(used[1]))
	of := fmt.Sprintf("CPU in %g s of the storm, median of %d", b.size.window.Seconds(), b.size.pairs)
	if len(pids) > 2 {
		b.report.tell(of+", bpftrace", number(ms(quantile(used[2], 0.5)))+" ms", "")
	}
	for _, kind := range []string{"sockets", "snapshot"} {
		label := fmt.Sprintf(kindsLabel, kind)
		n := now.sum("tcpstuck_sweep_seconds_count", label) - before.sum("tcpstuck_sweep_seconds_count", label)
		took := now.sum("tcpstuck_sweep_seconds_sum", label) - before.sum("tcpstuck_sweep_seconds_sum", label)
		b.report.tell("passes of the agent in all windows and just before, "+kind, number(n), number(1000*took)+" ms in all")
	}
	b.report.ratio("CPU in all windows, the first included, agent", ms(sum(used[0])), ms(sum(used[1])), "ms", "comparator")
	b.report.share(of+", agent", ms(quantile(used[0], 0.5)), ms(quantile(used[1], 0.5)), 0.2, "ms", "comparator")
	return nil
}

func sum(windows []time.Duration) (all time.Duration) {
	for _, w := range windows {
		all += w
	}
	return all
}

// each writes windows in their order, in milliseconds.
func each(windows []time.Duration) string {
	var all []string
	for _, w := range windows {
		all = append(all, number(ms(w)))
	}
	return strings.Join(all, ", ") + " ms"
}

// measureSmallRing repeats the onset with an agent whose ring buffer has one
// page.
func measureSmallRing(ctx context.Context, b *bench) error {
	const with = ", ring buffer of one page"
	if err := b.startAgent(ctx, "--ring-bytes=4096"); err != nil {
		return err
	}
	if err := b.world.cut(); err != nil {
		return err
	}
	events, err := b.found(ctx, b.size.sockets)
	if err != nil {
		return err
	}
	b.tellLosses(ctx, with)
	return b.tellFound(ctx, with, len(events))
}
