package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// nodeDown is a server that the API still lists as alive.
func nodeDown() Scenario {
	return Scenario{
		Name: "node-down",
		Story: "A client talks to a ClusterIP; the server's node is cut off from the network.\n" +
			"The pod stays listed: nothing in the API says that anything is wrong.\n" +
			"The client hangs; were the node to come back, the flow would go on.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.Cut(l.Server.Node.Machine) })
		},
		check: func(_ *Lab, f flow.Finding) error {
			if f.Backend == nil || f.Backend.State != flow.BackendListed {
				return fmt.Errorf("the backend is %+v, which is listed", f.Backend)
			}
			return nil
		},
	}
}
