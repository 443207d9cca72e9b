package main

import (
	"context"
	"errors"
	"path/filepath"
)

// bench is a run of one size.
type bench struct {
	size   size
	bin    string // where the programs are
	dir    string // for the run's files
	report *report

	world   *world
	witness *child // first on the tracepoint
	events  *eventPipe
	agent   *agent
	entries *entries // of a table to ask without other work; nil: not measured
	resting float64  // MB of the idle agent
	listing float64  // ms in which ss lists the storm
}

// part is a step of a run.
type part func(context.Context, *bench) error

// measure measures what its size is for.
func (b *bench) measure(ctx context.Context) error {
	if b.size.onlyFits() {
		return measureFit(ctx, b)
	}
	return measureAll(ctx, b)
}

// measureAll measures everything.
func measureAll(ctx context.Context, b *bench) error {
	return b.play(
		ctx, measureTraffic, measureConntrack, withWorld, withWitness, withAgent, measureIdle, measureStateChanges, withSockets, measureHealthy,
		measureOnset, measureStorm, measureAnswers, measureSingles, measureRecoveryInStorm, measureRecovery, withoutAgent, measureAlone, measureSmallRing,
	)
}

// measureFit measures whether a storm of this size fits.
func measureFit(ctx context.Context, b *bench) error {
	return b.play(ctx, withWorld, withAgent, settles, measureResting, withSockets, measureOnset, measureMemory, measureAnswers, measureRecovery, withoutAgent)
}

// play plays one part after the other. The first builds a world.
func (b *bench) play(ctx context.Context, parts ...part) (err error) {
	defer func() { err = errors.Join(err, b.tearDown()) }()
	for _, play := range parts {
		if err := play(ctx, b); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (b *bench) tearDown() error {
	var errs []error
	if b.agent != nil {
		errs = append(errs, b.agent.end())
	}
	if b.witness != nil {
		errs = append(errs, b.witness.end())
	}
	if b.events != nil {
		errs = append(errs, b.events.remove())
	}
	if b.world != nil {
		errs = append(errs, b.world.close())
	}
	b.agent, b.witness, b.events, b.world = nil, nil, nil, nil
	errs = append(errs, b.withoutEntries())
	return errors.Join(errs...)
}

// withoutEntries closes the table of its own: all tables of the kernel share one hash,
// and to search the storm's takes longer beside it.
func (b *bench) withoutEntries() (err error) {
	if b.entries != nil {
		err = b.entries.close()
	}
	b.entries = nil
	return err
}

func withWorld(_ context.Context, b *bench) (err error) {
	b.world, err = newWorld(b.size, b.dir)
	return err
}

func withSockets(_ context.Context, b *bench) error { return b.world.open() }

// withWitness attaches the witness first on its tracepoint.
func withWitness(_ context.Context, b *bench) (err error) {
	b.witness, err = startWitness(b.world.net.node)
	return err
}

func withAgent(ctx context.Context, b *bench) error { return b.startAgent(ctx) }

// startAgent starts an agent with a pipe for its events.
func (b *bench) startAgent(ctx context.Context, flags ...string) (err error) {
	if b.events != nil {
		if err := b.events.remove(); err != nil {
			return err
		}
	}
	if b.events, err = newEventPipe(filepath.Join(b.dir, "events")); err != nil {
		return err
	}
	b.agent, err = startAgent(ctx, b.bin, b.dir, b.world, b.events, flags...)
	return err
}

// endAgent ends the agent; the world stays.
func withoutAgent(ctx context.Context, b *bench) error {
	b.tellLosses(ctx, b.size.name(""))
	return b.agent.end()
}
