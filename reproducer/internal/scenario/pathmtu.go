package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// pathMTU is a black hole for large segments.
func pathMTU() Scenario {
	return Scenario{
		Name: "path-mtu",
		Story: "A client uploads to a server behind a ClusterIP; the path gets narrower, and its ICMP is filtered.\n" +
			"Full segments vanish; the short one at the end of each write gets through, and so does what the server sends.\n" +
			"The peer is alive and answers all the time, and the upload does not move.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PathDrop},
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			server := serverPod()
			server.Args = append(server.Args, "--discard", "--push", "300ms")
			// Two full segments and a short one, in either family.
			return l.startPairWith(ctx, server, false, "--stream", "3400")
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.SettleStream(ctx); err != nil {
				return time.Time{}, err
			}
			begin := time.Now()
			return begin, l.Cluster.DropLarge(l.Server.Node.Machine, l.Server.Addr, 1000)
		},
	}
}
