package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"time"
)

// size is how large a run is.
type size struct {
	sockets  int           // that stick; half of them connected, half accepted
	backends int           // that they lead to
	entries  int           // of the conntrack table that is asked
	singles  int           // flows that stick one by one during the storm, of each kind
	pairs    int           // of windows in which CPU is compared
	window   time.Duration // each; as long as the agent takes between two passes over all sockets in a storm
	idle     time.Duration
	bpftrace bool
}

var full = size{
	sockets: 15_000, backends: 15, entries: 200_000, singles: 120,
	pairs: 5, window: 12 * time.Second, idle: 15 * time.Second, bpftrace: true,
}

// The blocks of Services: those of the storm, and of flows that stick alone.
const (
	stormBlock  = 1
	idleBlock   = 2 // its backend goes while its flows are idle
	goneBlock   = 3 // each flow's own backend goes just after it was written to
	silentBlock = 4 // its backend stays listed
)

// bench is a run.
type bench struct {
	size   size
	bin    string // where the programs are
	dir    string // for the run's files
	report report

	net                 *network
	cluster             *cluster
	connector, acceptor *child
	witness             *child // first on the tracepoint
	events              *eventPipe
	agent               *agent
	gone                map[backend]bool
}

func (b *bench) run(ctx context.Context) (err error) {
	if err := b.measureConntrack(ctx); err != nil {
		return err
	}
	if err := b.build(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.tearDown()) }()
	for _, part := range []func(context.Context) error{
		b.startAgent, b.measureIdle, b.measureStateChanges, b.open, b.measureHealthy,
		b.measureOnset, b.measureStorm, b.measureAnswers, b.measureSingles, b.endStorm, b.measureAlone, b.measureSmallRing,
	} {
		if err := part(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// build makes the network, the cluster's records and the processes that hold
// sockets.
func (b *bench) build() (err error) {
	if b.net, err = newNetwork(); err != nil {
		return err
	}
	b.cluster = &cluster{path: filepath.Join(b.dir, "state.json")}
	for n := range b.size.backends {
		b.cluster.present = append(b.cluster.present, stormBackend(n))
	}
	b.cluster.present = append(b.cluster.present, backend{idleBlock, 1}, backend{silentBlock, 1})
	for n := range b.size.singles {
		b.cluster.present = append(b.cluster.present, backend{goneBlock, n + 1})
	}
	b.gone = map[backend]bool{}
	if err = b.cluster.write(nil); err != nil {
		return err
	}
	if b.acceptor, err = newChild(b.net.backends, "acceptor"); err != nil {
		return err
	}
	if _, err = b.acceptor.tell("count 10.244.1.1"); err != nil { // it listens now
		return err
	}
	if b.connector, err = newChild(b.net.node, "connector"); err != nil {
		return err
	}
	b.witness, err = startWitness(b.net.node)
	return err
}

func stormBackend(n int) backend { return backend{stormBlock, n + 1} }

func (b *bench) tearDown() error {
	var errs []error
	if b.agent != nil {
		errs = append(errs, b.agent.end())
	}
	for _, c := range []*child{b.connector, b.acceptor, b.witness} {
		if c != nil {
			_ = c.commands.Close()
			errs = append(errs, c.kill())
		}
	}
	if b.events != nil {
		b.events.close()
	}
	if b.net != nil {
		b.net.close()
	}
	return errors.Join(errs...)
}

// startAgent starts an agent with a pipe for its events.
func (b *bench) startAgent(ctx context.Context) error { return b.startAgentWith(ctx) }

func (b *bench) startAgentWith(ctx context.Context, flags ...string) (err error) {
	if b.events != nil {
		b.events.close()
		if err := os.Remove(b.events.path); err != nil {
			return err
		}
	}
	if b.events, err = newEventPipe(filepath.Join(b.dir, "events")); err != nil {
		return err
	}
	b.agent, err = startAgent(ctx, b.bin, b.dir, b.net, b.cluster, b.events, flags...)
	return err
}

// open opens all connections: those of the storm, and those that stick alone.
func (b *bench) open(context.Context) error {
	perBackend := b.size.sockets / 2 / b.size.backends
	for n := range b.size.backends {
		if err := b.connect("storm", perBackend, stormBackend(n)); err != nil {
			return err
		}
	}
	for group, block := range map[string]int{"idle": idleBlock, "silent": silentBlock} {
		if err := b.connect(group, b.size.singles, backend{block, 1}); err != nil {
			return err
		}
	}
	for n := range b.size.singles {
		if err := b.connect("gone", 1, backend{goneBlock, n + 1}); err != nil {
			return err
		}
	}
	return nil
}

// connect opens connections to a Service and waits until its backend has them.
func (b *bench) connect(group string, n int, to backend) error {
	if _, err := b.connector.tell("open %s %d %s:%d", group, n, to.service(), port); err != nil {
		return fmt.Errorf("open connections: %w", err)
	}
	for range 100 {
		answer, err := b.acceptor.tell("count %s", to.address())
		if err != nil {
			return err
		}
		if got, err := strconv.Atoi(answer); err == nil && got == n {
			return nil
		}
		_ = pause(context.Background(), 20*time.Millisecond)
	}
	return fmt.Errorf("%s did not get its %d connections", to.address(), n)
}
