package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// truncatedConsumer is truncatedLatePing seen from the other end.
func truncatedConsumer() Scenario {
	return Scenario{
		Name: "truncated-consumer",
		Story: "A consumer is slow and pings its producer, which is on another node, out of the agent's sight.\n" +
			"The producer closes before everything is out, and its kernel answers the next ping with a reset.\n" +
			"The consumer's transfer breaks off with data still to be read, and its ping is lost, too.",
		Expected:   Expectation{Symptom: flow.Truncated, Cause: flow.ResetByPeer},
		stuckAfter: 10 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return startTransfer(ctx, l, "node-b", "node-a", 2*time.Second, "hasty")
		},
		fault: transfer,
		subject: func(l *Lab, f flow.Finding) error {
			accepted := last(l.Server.Echo.Records(), record.Accepted)
			if f.Local.Addr != accepted.Local || f.Peer.Addr != accepted.Remote {
				return fmt.Errorf("flow %s to %s was reported, the one that broke off is %s to %s", f.Local.Addr, f.Peer.Addr, accepted.Local, accepted.Remote)
			}
			return nil
		},
		check: func(l *Lab, f flow.Finding) error {
			arrived, err := arrived(l)
			if err != nil {
				return err
			}
			wrote := last(l.Client.Echo.Records(), record.Wrote)
			if arrived >= wrote.Bytes {
				return fmt.Errorf("all %d bytes arrived: nothing was truncated", arrived)
			}
			if f.Unsent != 0 || f.Unacknowledged != pingBytes || f.Role != flow.Server {
				return fmt.Errorf("a %s lost %d bytes unsent and %d unacknowledged; it is the server, and lost its ping of %d", f.Role, f.Unsent, f.Unacknowledged, pingBytes)
			}
			return counted(l, flow.LostResetByPeer, f)
		},
	}
}
