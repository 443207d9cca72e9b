package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// linkDown is a cable that somebody pulled.
func linkDown() Scenario {
	return Scenario{
		Name: "link-down",
		Story: "A program in the node's own network talks to a pod on another node.\n" +
			"The node's interface loses its carrier: nothing gets through in either direction.\n" +
			"The records still list the peer as alive, and it is; the reason is here.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.LinkDown},
		stuckAfter: 3 * time.Second,
		prepare:    startHostClient,
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.PullCable(l.Client.Node.Machine) })
		},
	}
}
