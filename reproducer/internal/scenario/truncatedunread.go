package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// truncatedUnread is how a transfer that succeeded loses its end.
func truncatedUnread() Scenario {
	return Scenario{
		Name: "truncated-unread",
		Story: "A producer sends 200 KiB to a consumer that is slow and pings it meanwhile; every write succeeds.\n" +
			"The producer closes with a ping unread, so its kernel sends a reset instead of the rest.\n" +
			"The consumer misses the end of the transfer.",
		Expected:   Expectation{Symptom: flow.Truncated, Cause: flow.ClosedUnread},
		stuckAfter: 10 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return startTransfer(ctx, l, "node-a", "node-b", 2*time.Second, "careless")
		},
		fault: transfer,
		check: missingAsSaid(flow.LostClosedUnread),
	}
}
