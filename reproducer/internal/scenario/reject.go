package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// reject is a path that sends errors to a socket that may not obey them.
func reject() Scenario {
	return Scenario{
		Name: "reject",
		Story: "A client talks to a ClusterIP; a firewall on the way begins to refuse the server's address.\n" +
			"Each segment is answered with an ICMP port unreachable.\n" +
			"That is a soft error to an established socket: it hangs all the same, and ends in ECONNREFUSED.",
		Expected: Expectation{
			Symptom: flow.Retransmitting, Cause: flow.RouterRejects, Outcome: flow.TimedOut, Error: "ECONNREFUSED",
		},
		stuckAfter: 2 * time.Second,
		shaken:     true,
		prepare:    startHastyPair,
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.Refuse(l.Server.Node.Machine, l.Server.Addr) })
		},
	}
}

// startHastyPair starts a client whose connection the kernel aborts after seconds.
func startHastyPair(ctx context.Context, l *Lab) error {
	if err := l.startPair(ctx, false); err != nil {
		return err
	}
	return hasten(l.Client, 3)
}
