package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// truncatedDrainTimeout is the cure, taken in too small a dose.
func truncatedDrainTimeout() Scenario {
	return Scenario{
		Name: "truncated-drain-timeout",
		Story: "A producer sends 200 KiB to a consumer that is slow and pings it meanwhile; every write succeeds.\n" +
			"The producer shuts its side down and drains for 1 s, gives up, and closes.\n" +
			"The next ping finds a closed socket with bytes to send: they are lost all the same.",
		Expected:   Expectation{Symptom: flow.Truncated, Cause: flow.DataAfterClose},
		stuckAfter: 10 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return startTransfer(ctx, l, "node-a", "node-b", 4*time.Second, "draining", "--patience", "1s")
		},
		fault: transfer,
		check: missingAsSaid(flow.LostDataAfterClose),
	}
}
