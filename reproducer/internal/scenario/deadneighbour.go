package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// deadNeighbour is a next hop that does not answer ARP.
func deadNeighbour() Scenario {
	return Scenario{
		Name: "dead-neighbour",
		Story: "A client talks to a ClusterIP; the server's node leaves the switch that joins the nodes.\n" +
			"Nobody answers for its address any more, so the client's node has no neighbour to send to.\n" +
			"What waits for that answer is no retransmission; the client hangs, and ends in EHOSTUNREACH.",
		Expected: Expectation{
			Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable, Outcome: flow.TimedOut, Error: "EHOSTUNREACH",
		},
		stuckAfter: 2 * time.Second,
		shaken:     true,
		prepare:    startHastyPair,
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.Unplug(l.Server.Node.Machine) })
		},
	}
}
