package main

import (
	"context"
	"time"
)

// apart is the time between two flows that stick alone. apartIdle is that between
// two whose backend is gone: all of them need a write before the agent calls them
// stuck without one, 5 s after the backend went.
const (
	apart     = 300 * time.Millisecond
	apartIdle = 25 * time.Millisecond
)

// measureSingles makes flows stick one by one during the storm, and measures the
// time from each one's threshold to its event. A flow whose first timeout the
// kernel showed to no program is counted apart: it can only be found later.
func measureSingles(ctx context.Context, b *bench) error {
	if err := measureRemoval(ctx, b); err != nil {
		return err
	}
	before, err := b.testimony()
	if err != nil {
		return err
	}
	var unseen []time.Duration
	all := 0
	for _, s := range []struct {
		group     string
		block     int
		apart     time.Duration
		threshold time.Duration // after the first timeout
		remove    bool          // remove the backend just after the write
		what      string
	}{
		{"idle", idleBlock, apartIdle, 0, false, "first timeout of a flow that was at risk, to its event"},
		{"gone", goneBlock, apart, 0, true, "first timeout, backend known to be deleted, to its event"},
		{"silent", silentBlock, apart, stuckAfter, false, "deadline of a flow to its event"},
	} {
		for n := range b.size.singles {
			if _, err := b.world.connectors[0].tell("write %s %d %d", s.group, n, n+1); err != nil {
				return err
			}
			if s.remove {
				if err := b.world.remove(backend{s.block, n + 1}); err != nil {
					return err
				}
			}
			if err := pause(ctx, s.apart); err != nil {
				return err
			}
		}
		events, err := b.awaitBlock(ctx, "stuck", s.block)
		if err != nil {
			return err
		}
		b.report.exactly(s.what+": events", len(events), b.size.singles)
		all += len(events)
		var late []time.Duration
		for _, e := range events {
			first, err := b.witness.ask("first %s %d", e.Flow.Peer.Address, e.Flow.Local.Port)
			if err != nil {
				return err
			}
			by := e.arrived.Sub(e.Flow.Since.Add(s.threshold))
			if first > 1 {
				unseen = append(unseen, by)
				continue
			}
			late = append(late, by)
		}
		b.report.delays(s.what, late, b.listing)
	}
	b.tellUnseen(unseen, all)
	return b.tellTimeouts("timeouts on the node meanwhile", before)
}

// measureRemoval deletes the backend of idle flows.
func measureRemoval(ctx context.Context, b *bench) error {
	began := time.Now()
	if err := b.world.remove(backend{idleBlock, 1}); err != nil {
		return err
	}
	events, err := b.awaitBlock(ctx, "at_risk", idleBlock)
	if err != nil {
		return err
	}
	b.report.exactly("idle flows listed after their backend's removal", len(events), b.size.singles)
	var last time.Duration
	for _, e := range events {
		last = max(last, e.arrived.Sub(began))
	}
	b.report.atMost("removal of a backend until its last flow was listed", ms(last), 1000, "ms")
	return nil
}

// awaitBlock waits for an event of each flow that stuck alone in a block.
func (b *bench) awaitBlock(ctx context.Context, typ string, block int) ([]reported, error) {
	services := map[string]bool{}
	for n := range b.size.singles {
		services[backend{block, n + 1}.service()] = true
	}
	ctx, cancel := context.WithTimeout(ctx, b.size.patience)
	defer cancel()
	return b.events.await(ctx, b.size.singles, typ, func(t reported) bool { return services[t.Flow.Peer.Address] })
}
