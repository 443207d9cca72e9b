package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// paws is a client whose timestamps run backwards.
func paws() Scenario {
	return Scenario{
		Name: "paws",
		Story: "A client talks to a Service; the timestamps in its segments begin to run backwards, as behind some proxies.\n" +
			"The server takes each segment for an old one: it answers, and takes nothing.\n" +
			"The client hears of it within a round trip, each time.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PeerRefuses},
		stuckAfter: 4 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.TurnBackClock(l.Client.Echo) })
		},
	}
}
