package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// synAnswersDropped is the same before a connection is made.
func synAnswersDropped() Scenario {
	return Scenario{
		Name: "syn-answers-dropped",
		Story: "A client talks to a Service; a filter in its pod begins to drop the answers to its SYNs, and the server is deleted.\n" +
			"The client connects again; its SYN arrives, and the answer reaches its node.\n" +
			"conntrack on the node has seen the answer, and the socket has not.",
		Expected:   Expectation{Symptom: flow.Connecting, Cause: flow.AnswersDropped},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.againAfter(ctx, func() error { return l.Cluster.DropAccepts(l.Client) })
		},
		subject: connectsAgain,
	}
}
