package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// synFiltered is a filter that the client's SYN meets.
func synFiltered() Scenario {
	return Scenario{
		Name: "syn-filtered",
		Story: "A client talks to a Service; a filter in its pod forbids new connections, and the server is deleted.\n" +
			"The client connects again, and its SYN never leaves.\n" +
			"The peer is well; the reason is here.",
		Expected:   Expectation{Symptom: flow.Connecting, Cause: flow.LocalFilter},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.againAfter(ctx, func() error { return l.Cluster.DropConnects(l.Client) })
		},
		subject: connectsAgain,
	}
}
