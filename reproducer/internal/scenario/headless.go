package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// headless is calico without a translation.
func headless() Scenario {
	return Scenario{
		Name: "headless",
		Story: "A client talks to a pod by its own address, as a headless Service gives it.\n" +
			"The pod is force-deleted and ignores SIGTERM; its route is cut before its FIN could leave.\n" +
			"Nothing translates the flow, and still the client hangs.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PeerDeleted},
		Families:   allFamilies(),
		stuckAfter: 10 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, true) },
		fault:      forceDeleteServer,
		check: func(_ *Lab, f flow.Finding) error {
			if f.Peer.Class != flow.PeerPod {
				return fmt.Errorf("the peer's class is %q, not pod", f.Peer.Class)
			}
			return nil
		},
	}
}
