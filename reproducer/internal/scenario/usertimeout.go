package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// userTimeout is calico with the setting that ends it.
func userTimeout() Scenario {
	const timeout = 5 * time.Second
	return Scenario{
		Name: "user-timeout",
		Story: "A client that has set TCP_USER_TIMEOUT to 5 s talks to a ClusterIP.\n" +
			"The server pod, on another node, is force-deleted; its route is cut before its FIN could leave.\n" +
			"The kernel gives up after 5 s instead of a quarter of an hour.",
		Expected: Expectation{
			Symptom: flow.Retransmitting, Cause: flow.StaleConntrack, Outcome: flow.TimedOut, Error: "ETIMEDOUT",
		},
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return l.startPair(ctx, false, "--user-timeout", timeout.String())
		},
		fault: forceDeleteServer,
		check: func(_ *Lab, f flow.Finding) error {
			if f.UserTimeout != timeout {
				return fmt.Errorf("the user timeout is %s, not %s", f.UserTimeout, timeout)
			}
			return nil
		},
		checkEnd: func(ctx context.Context, l *Lab, f flow.Finding) error {
			if d := f.EndedAt.Sub(f.Since); d < timeout || d > timeout+time.Second {
				return fmt.Errorf("it ended after %s, with a user timeout of %s", d, timeout)
			}
			return staleEntryStays(ctx, l, f)
		},
	}
}
