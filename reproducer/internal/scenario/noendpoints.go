package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// sameNodeNoEndpoints is the same story with a bad end.
func sameNodeNoEndpoints() Scenario {
	return Scenario{
		Name: "same-node-no-endpoints",
		Story: "A client talks to a ClusterIP; its only server pod, on the client's own node, is force-deleted.\n" +
			"That node forgets the pod's connections and refuses the Service for want of endpoints.\n" +
			"To an established socket a refusal is a soft error only: the client hangs, and conntrack is empty.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.ConntrackMissing},
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return l.startPairWith(ctx, serverBeside(), false)
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.Settle(ctx); err != nil {
				return time.Time{}, err
			}
			removal, err := l.Cluster.ForceDelete(l.Server)
			return removal.Route, err
		},
	}
}
