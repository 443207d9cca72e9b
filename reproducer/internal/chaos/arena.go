package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// arena is two pods of node-a and an agent that watches only them. Something happens to
// one pod, and the hangs of its neighbour must be reported all the same.
type arena struct {
	lab            *Lab
	pod, neighbour *cluster.Pod
	agent          *agent
	reports        *reports
	truth          *truth // as this agent must see it
	conns          []*conn
	stop           context.CancelFunc // ends following
	following      sync.WaitGroup
}

// openArena starts the pods and the agent. On an error the caller closes it.
func (l *Lab) openArena(ctx context.Context, name string, flags ...string) (*arena, error) {
	a := &arena{lab: l, truth: newTruth(), stop: func() {}}
	var scope []string
	for workload, pod := range map[string]**cluster.Pod{name: &a.pod, name + "-neighbour": &a.neighbour} {
		p, err := l.startServer(ctx, workload, "node-a") // a client would be a peer of another when it goes
		if err != nil {
			return a, err
		}
		*pod, scope = p, append(scope, p.NS.Path())
		if err := p.NS.Do(hurry); err != nil {
			return a, err
		}
	}
	var err error
	if a.agent, err = l.startReady(ctx, agentSpec{name: name, scope: scope, args: flags}); err != nil {
		return a, err
	}
	a.follow()
	return a, nil
}

func (a *arena) follow() {
	a.reports = newReports(a.agent.events)
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.following.Go(func() { a.reports.follow(ctx) })
}

// unfollow ends reading what the agent reports.
func (a *arena) unfollow() {
	a.stop()
	a.following.Wait()
}

// silent opens connections of a pod whose server no longer answers, and writes nothing on
// them yet.
func (a *arena) silent(ctx context.Context, from *cluster.Pod, n int) ([]*conn, *cluster.Pod, error) {
	conns, server, err := a.lab.connect(ctx, from.NS, n)
	if err != nil {
		return nil, nil, err
	}
	a.conns = append(a.conns, conns...)
	return conns, server, a.lab.cluster.DropFrom(a.lab.cluster.Nodes[1].Machine, server.Addr)
}

// hang writes on connections without an answer. The agent that runs all the
// time does not see them, so for it they remain flows that it may list.
func (a *arena) hang(when string, conns []*conn) (batch, error) {
	at := time.Now()
	for _, c := range conns {
		if err := c.write(); err != nil {
			return batch{}, fmt.Errorf("write into nothing: %w", err)
		}
	}
	a.truth.hang(conns...)
	return batch{when: when, conns: conns, at: at}, nil
}

// found waits until the arena's agent lists what hangs there and nothing else.
func (a *arena) found(ctx context.Context) error {
	return a.truth.found(ctx, a.agent)
}

// close ends the agent, which has to end well, and releases everything.
func (a *arena) close(ctx context.Context, o *Outcome) error {
	if a.agent != nil && a.agent.living() == nil {
		if _, err := a.agent.terminate(); err != nil {
			o.lose("%v", err)
		}
	}
	a.unfollow()
	a.lab.calmDown(a.conns)
	var err error
	for _, p := range []*cluster.Pod{a.pod, a.neighbour} {
		if p != nil && ctx.Err() == nil {
			_, deleted := a.lab.cluster.ForceDelete(p)
			err = errors.Join(err, deleted)
		}
	}
	return err
}
