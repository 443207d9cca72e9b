package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// answersDropped is a filter in the client's pod that drops what comes back.
func answersDropped() Scenario {
	return Scenario{
		Name: "answers-dropped",
		Story: "A client sends to a Service; a filter in its pod begins to drop all that the pod receives.\n" +
			"The server gets everything and acknowledges it, and the node passes that on.\n" +
			"conntrack on the node has seen the acknowledgements, and the socket has not.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.AnswersDropped},
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			deaf := serverPod()
			deaf.Args = append(deaf.Args, "--discard")
			return l.startPairWith(ctx, deaf, false, "--stream", "200")
		},
		fault: func(_ context.Context, l *Lab) (time.Time, error) {
			return time.Now(), l.Cluster.DropReceived(l.Client)
		},
	}
}
