package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

// requestInterval is how often clients ask. It leaves room between two
// requests for a fault that takes some milliseconds.
const requestInterval = 250 * time.Millisecond

// settledRTO is the retransmission timeout of a path as short as the
// cluster's. A busy machine stretches round trips, and for some requests
// afterwards the kernel would wait for seconds before its first
// retransmission.
const settledRTO = 250 * time.Millisecond

// Options are how to play.
type Options struct {
	Bin    string // directory of tcpstuck, tcpstuck-agent and echo
	Base   string // where the run's directory is made, e.g. /run
	Family cluster.Family
	Out    io.Writer // for the timeline
	API    API       // in place of the file
	// Patience is the longest wait for a report of the agent; zero: as long as the
	// scenario says. It shortens no other wait.
	Patience time.Duration
}

// Lab is the place where a scenario is played: a cluster, the agent on
// node-a, and the record of what happens.
type Lab struct {
	Cluster  *cluster.Cluster
	Agent    *Agent
	Timeline *Timeline
	Client   *cluster.Pod // its flow is watched; nil: there is none
	Server   *cluster.Pod
	Service  *cluster.Service // of the pair; nil: there is none

	dir      *rundir.Dir
	patience time.Duration // Options.Patience
	cancel   context.CancelFunc
	follow   sync.WaitGroup
	mu       sync.Mutex
	events   []flow.Event
	failed   error
	changed  chan struct{} // closed at each event
}

// open removes what crashed runs left, builds the cluster, starts what the
// scenario runs on it, and the agent. On an error the caller closes the lab.
func (l *Lab) open(ctx context.Context, opts Options, s Scenario) error {
	removed, err := rundir.Clean(opts.Base)
	for _, dir := range removed {
		l.Timeline.Add("removed %s, which a crashed run had left", dir)
	}
	if err != nil {
		return err
	}
	if l.dir, err = rundir.New(opts.Base); err != nil {
		return err
	}
	l.Cluster, err = cluster.New(cluster.Config{Dir: l.dir.Path, Family: opts.Family, Echo: opts.Bin + "/echo", Report: l.Timeline.Add, Copy: opts.API.Objects})
	if err != nil {
		return err
	}
	l.Timeline.Add("a cluster of %d nodes is up in %s", len(l.Cluster.Nodes), l.dir.Path)
	if err := s.prepare(ctx, l); err != nil {
		return err
	}
	if l.Agent, err = startAgent(ctx, opts, l.dir.Path, l.Cluster, l.Cluster.Nodes[0], s); err != nil {
		return err
	}
	l.Timeline.Add("the agent watches %s", l.Cluster.Nodes[0].Name)
	l.listen()
	return nil
}

// listen follows the agent's events.
func (l *Lab) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	events := make(chan flow.Event)
	l.follow.Go(func() {
		defer close(events)
		if err := follow(ctx, l.Agent.events, events); err != nil && ctx.Err() == nil {
			l.hear(flow.Event{}, err)
		}
	})
	l.follow.Go(func() {
		for e := range events {
			l.hear(e, nil)
		}
	})
}

func (l *Lab) hear(e flow.Event, failure error) {
	if failure == nil {
		l.Timeline.Add("event %s", describe(e))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if failure != nil {
		l.failed = failure
	} else {
		l.events = append(l.events, e)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// atMost returns how long to wait for the agent if the scenario says d.
func (l *Lab) atMost(d time.Duration) time.Duration {
	if l.patience > 0 {
		return min(d, l.patience)
	}
	return d
}

// AwaitEvent waits for the first event that matches.
func (l *Lab) AwaitEvent(ctx context.Context, match func(flow.Event) bool) (flow.Event, error) {
	for {
		l.mu.Lock()
		i, changed, failed := slices.IndexFunc(l.events, match), l.changed, l.failed
		var e flow.Event
		if i >= 0 {
			e = l.events[i]
		}
		l.mu.Unlock()
		if i >= 0 || failed != nil {
			return e, failed
		}
		select {
		case <-changed:
		case <-l.Agent.Done():
			return e, fmt.Errorf("the agent has ended: %w\n%s", l.Agent.Err(), l.Agent.Log())
		case <-ctx.Done():
			return e, ctx.Err()
		}
	}
}

// Events returns the events so far that match.
func (l *Lab) Events(match func(flow.Event) bool) []flow.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []flow.Event
	for _, e := range l.events {
		if match(e) {
			found = append(found, e)
		}
	}
	return found
}

// AfterAnswer waits for the client's next n answers, so that the next step happens between
// two of its requests.
func (l *Lab) AfterAnswer(ctx context.Context, n int) error {
	since := time.Now()
	_, err := l.Client.Echo.Await(ctx, n, "getting answers", func(r record.Record) bool {
		return r.Kind == record.Read && r.Time.After(since)
	})
	return err
}

// Settle waits until the client's connection has the retransmission timeout of a short
// path. The next step then happens between two of its requests.
func (l *Lab) Settle(ctx context.Context) error {
	for range 100 {
		if err := l.AfterAnswer(ctx, 1); err != nil {
			return err
		}
		records := l.Client.Echo.Records()
		s, found, err := l.Client.Socket(records[len(records)-1].Local)
		if err != nil {
			return err
		}
		if found && s.RTO <= settledRTO {
			l.Timeline.Add("the client has its answers; its retransmission timeout is %s", s.RTO)
			return nil
		}
	}
	return errors.New("the machine is too busy: the client's round trips do not get short")
}

// SettleStream does the same for a client that gets no answers.
func (l *Lab) SettleStream(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	err := await(waiting, func() (bool, error) {
		s, err := l.clientSocket()
		return s.RTO > 0 && s.RTO <= settledRTO, err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return errors.New("the machine is too busy: the client's round trips do not get short")
	}
	return err
}

// afterAnswer makes a fault happen between two requests of the client, and
// returns when it did.
func (l *Lab) afterAnswer(ctx context.Context, fault func() error) (time.Time, error) {
	if err := l.Settle(ctx); err != nil {
		return time.Time{}, err
	}
	begin := time.Now()
	return begin, fault()
}

// Close ends everything and removes every trace.
func (l *Lab) Close() error {
	var err error
	if l.Agent != nil {
		err = l.Agent.Stop(stopGrace)
	}
	if l.cancel != nil {
		l.cancel()
		l.follow.Wait()
	}
	if l.Cluster != nil {
		err = errors.Join(err, l.Cluster.Close())
	}
	if l.dir != nil {
		err = errors.Join(err, l.dir.Remove())
	}
	l.Timeline.Add("cleaned up")
	return err
}

// describe returns an event in words.
func describe(e flow.Event) string {
	if e.Flow == nil {
		return fmt.Sprintf("%s: %s %s", e.Type, e.Source, e.Reason)
	}
	return fmt.Sprintf("%s: %s · %s, %s", e.Type, e.Flow.Symptom, e.Flow.Cause, e.Flow.Sentence)
}

// Directions says how to look around while everything is kept.
func (l *Lab) Directions() string {
	return fmt.Sprintf(`kept in %s until interrupted. In another terminal, what is stuck, and why:
  %s dump --socket %s
That names the next command: the story of one flow, and its cure. A command of the cure runs on the node:
  nsenter --net=%s conntrack -D ...`, l.dir.Path, l.Agent.cli, l.Agent.socket, l.Cluster.Nodes[0].NS.Path())
}
