package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// localQueue is a shaper on the client's own side.
func localQueue() Scenario {
	return Scenario{
		Name: "local-queue",
		Story: "A client talks to a Service; a traffic shaper in its pod becomes so slow that nothing leaves it.\n" +
			"Each segment waits in the queue, and the kernel does not send a second copy of it.\n" +
			"The peer is well; the reason is here.",
		Expected:   Expectation{Symptom: flow.LocalDrop, Cause: flow.LocalQueue},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.HoldSent(l.Client) })
		},
	}
}
