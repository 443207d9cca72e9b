package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// handshakeLost is a firewall that takes all but SYNs for invalid.
func handshakeLost() Scenario {
	return Scenario{
		Name: "handshake-lost",
		Story: "A client talks to a Service; a firewall on the way begins to pass on nothing but SYNs, and the server is deleted.\n" +
			"The client connects again: to it, the connection is made. The end of the handshake never arrives.\n" +
			"The server repeats its answer to the SYN, which the client refuses each time.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PathDrop},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.againAfter(ctx, func() error { return l.Cluster.DropAfterSYN(l.Server.Node.Machine, l.Client.Addr) })
		},
		subject: func(l *Lab, f flow.Finding) error { return l.secondConnection(f) },
		aside:   func(l *Lab, f flow.Finding) bool { return clientsFlow(l, f) == nil }, // its last request was under way
	}
}
