package scenario

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// truncatedDrained is the control to all of them: the cure. At its end the same consumer has
// a careless producer, which the agent must report.
func truncatedDrained() Scenario {
	var careless *cluster.Pod
	return Scenario{
		Name: "truncated-drained",
		Story: "A producer sends 200 KiB to a consumer that is slow and pings it meanwhile; every write succeeds.\n" +
			"The producer shuts its side down, reads the pings until the consumer's end, and closes.\n" +
			"Every byte arrives.",
		stuckAfter: 10 * time.Second,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			if err = startTransfer(ctx, l, "node-a", "node-b", 2*time.Second, "draining", "--patience", "20s"); err != nil {
				return err
			}
			careless, err = startProducer(ctx, l, "node-a", l.Server.Address(), "careless")
			return err
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			closed, err := transfer(ctx, l)
			if err != nil {
				return closed, err
			}
			arrived, err := arrived(l)
			if err != nil {
				return closed, err
			}
			if wrote := last(l.Client.Echo.Records(), record.Wrote); arrived != wrote.Bytes {
				return closed, fmt.Errorf("%d of %d bytes arrived although the producer drained", arrived, wrote.Bytes)
			}
			return closed, l.Watch(ctx, 2*time.Second)
		},
		prove: func(ctx context.Context, l *Lab) error {
			if err := careless.Echo.Signal(syscall.SIGUSR1); err != nil {
				return err
			}
			return awakeTo(ctx, l, func(e flow.Event) bool { return e.Type == flow.EventDataLost })
		},
	}
}

// awakeTo demands that the agent reports something real.
func awakeTo(ctx context.Context, l *Lab, match func(flow.Event) bool) error {
	waiting, cancel := context.WithTimeout(ctx, l.atMost(transferInTime))
	defer cancel()
	if _, err := l.AwaitEvent(waiting, match); err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			return brokenClaim("the agent does not see this producer: a real loss goes unreported, too")
		}
		return err
	}
	l.Timeline.Add("that one is real: the agent is awake")
	return nil
}
