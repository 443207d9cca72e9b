package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// nodeBack shows why a flow that is only silent must not be cured.
func nodeBack() Scenario {
	return Scenario{
		Name: "node-back",
		Story: "A client talks to a ClusterIP; the server's node is cut off from the network.\n" +
			"The flow is reported; then the node comes back.\n" +
			"The flow continues where it was, and the recovery is reported, too.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable, Outcome: flow.Recovered},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.Cut(l.Server.Node.Machine) })
		},
		aftermath: func(ctx context.Context, l *Lab) error {
			if err := l.Cluster.Restore(l.Server.Node.Machine); err != nil {
				return err
			}
			return l.AfterAnswer(ctx, 1)
		},
	}
}
