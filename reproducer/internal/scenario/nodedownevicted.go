package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// nodeDownEvicted is node-down, minutes later.
func nodeDownEvicted() Scenario {
	return Scenario{
		Name: "node-down-evicted",
		Story: "A client talks to a ClusterIP; the server's node is cut off from the network.\n" +
			"The API notices: the node is not ready, its pods are terminating, and nobody there can end them.\n" +
			"The pod may well live; were the node to come back, the flow would go on.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error {
				if err := l.Cluster.Cut(l.Server.Node.Machine); err != nil {
					return err
				}
				return l.Cluster.LoseNode(l.Server.Node)
			})
		},
		check: func(_ *Lab, f flow.Finding) error {
			if f.Backend == nil || f.Backend.State != flow.BackendTerminating {
				return fmt.Errorf("the backend is %+v, which is terminating", f.Backend)
			}
			return nil
		},
	}
}
