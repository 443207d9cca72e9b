package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

const (
	flapFlows  = 1000
	flaps      = 241 // after the last one the endpoint terminates
	flapEvery  = 250 * time.Millisecond
	flapMemory = 60 << 20         // the agent may grow by so many bytes
	flapEvents = 20 << 20         // bytes of events
	flapSettle = 40 * time.Second // until then the last verdict is known, and has its event
)

// flappingEndpoint: records that change without end cost little, and the last change counts.
func flappingEndpoint() Fault {
	return Fault{
		Name:  "flapping-endpoint",
		Story: fmt.Sprintf("%d connections are stuck on an endpoint that is terminating, and is not, four times a second for %.0f s", flapFlows, (flaps * flapEvery).Seconds()),
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			a, err := l.openArena(ctx, "flapped")
			defer func() { err = errors.Join(err, a.close(ctx, o)) }()
			if err != nil {
				return err
			}
			conns, server, err := a.silent(ctx, a.pod, flapFlows)
			if err != nil {
				return err
			}
			b, err := a.hang("", conns)
			if err != nil {
				return err
			}
			if err := b.await(ctx, a.reports); err != nil {
				return err
			}
			if err := a.found(ctx); err != nil {
				o.lose("before the records change: %v", err)
			}
			a.unfollow() // there may be more to read than to write
			if err := a.flap(ctx, o, server); err != nil {
				return err
			}
			return a.settled(ctx, o, conns, flow.PeerTerminating)
		},
	}
}

// flap changes an endpoint again and again, and limits what the agent may take for it.
func (a *arena) flap(ctx context.Context, o *Outcome, server *cluster.Pod) error {
	before, err := a.agent.memory()
	if err != nil {
		return err
	}
	written, err := os.Stat(a.agent.events)
	if err != nil {
		return fmt.Errorf("measure the events: %w", err)
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan witness, 1)
	go func() { watched <- a.agent.witness(watching) }()
	for n := range flaps {
		if err = a.lab.cluster.SayTerminating(server, n%2 == 0); err != nil {
			break
		}
		o.inject(1)
		if err = pause(ctx, flapEvery); err != nil {
			break
		}
	}
	stop()
	w := <-watched
	now, statErr := os.Stat(a.agent.events)
	if err := errors.Join(err, statErr); err != nil {
		return err
	}
	grown, events := max(w.resident, before)-before, now.Size()-written.Size()
	o.see("the agent grew by %.0f MiB, its events by %.1f MiB", mib(grown), mib(uint64(events)))
	if grown > flapMemory {
		o.lose("the agent grew by %.0f MiB", mib(grown))
	}
	if events > flapEvents {
		o.lose("%.0f MiB of events were written", mib(uint64(events)))
	}
	return nil
}

// settled demands that every connection has a certain cause in the end, in the list and in
// its last event.
func (a *arena) settled(ctx context.Context, o *Outcome, conns []*conn, cause flow.Cause) error {
	began := time.Now()
	waiting, cancel := context.WithTimeout(ctx, flapSettle)
	defer cancel()
	listed, reported := 0, 0
	err := awaitEvery(waiting, listInterval, func() (bool, error) {
		byID, err := findings(ctx, a.agent)
		if err != nil {
			return false, err
		}
		listed = 0
		for _, c := range conns {
			if byID[c.id].Cause == cause {
				listed++
			}
		}
		if err := a.reports.read(time.Now()); err != nil {
			return false, err
		}
		reported, err = a.reports.count(conns, func(r report) bool { return r.cause == cause })
		return listed == len(conns) && reported == len(conns), err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		o.lose("%.0f s after the last change %d of %d are listed as %s, and of %d it is the last event", flapSettle.Seconds(), listed, len(conns), cause, reported)
		return nil
	}
	if err == nil {
		o.see("all %d are %s %.1f s after the last change, and their last events say so", len(conns), cause, time.Since(began).Seconds())
	}
	return err
}
