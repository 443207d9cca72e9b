package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// truncatedLatePing is the same with a producer that had nothing left to read.
func truncatedLatePing() Scenario {
	return Scenario{
		Name: "truncated-late-ping",
		Story: "A producer sends 200 KiB to a consumer that is slow and pings it meanwhile; every write succeeds.\n" +
			"The producer reads what has come in and closes; its kernel goes on sending, until the next ping comes.\n" +
			"It answers with a reset and throws the rest away.",
		Expected:   Expectation{Symptom: flow.Truncated, Cause: flow.DataAfterClose},
		stuckAfter: 10 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return startTransfer(ctx, l, "node-a", "node-b", 2*time.Second, "hasty")
		},
		fault: transfer,
		check: missingAsSaid(flow.LostDataAfterClose),
	}
}
