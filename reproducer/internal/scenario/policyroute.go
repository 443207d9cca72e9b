package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// policyRoute is a rule for the pod's address on its own node.
func policyRoute() Scenario {
	return Scenario{
		Name: "policy-route",
		Story: "A client talks to a Service; a routing policy of its node now leads what comes from it to a blackhole.\n" +
			"The route to the server is well, as long as nobody asks from the pod's own address.\n" +
			"What the client sends leaves its pod, and its node drops it.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.NoRoute},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.RefuseSource(l.Client.Node, l.Client.Addr) })
		},
		check: func(l *Lab, f flow.Finding) error {
			if ask := "ip route get " + l.Server.Addr.String() + " from " + l.Client.Addr.String() + " iif "; !strings.Contains(f.Advice[0].Now, ask) {
				return fmt.Errorf("the advice does not show the refusal with %q: %s", ask, f.Advice[0].Now)
			}
			return nil
		},
	}
}
