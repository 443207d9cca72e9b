package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// pathMTU is a hole for large segments.
func pathMTU() Scenario {
	return Scenario{
		Name: "path-mtu",
		Story: "A client uploads to a server behind a ClusterIP; the path gets narrower, and its ICMP is filtered.\n" +
			"Large segments vanish; the small ones of the server's own lines get through both ways.\n" +
			"The peer is alive and heard all the time, and the upload does not move.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PathDrop},
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			server := serverPod()
			server.Args = append(server.Args, "--discard", "--push", "300ms")
			return l.startPairWith(ctx, server, false, "--stream", "4000")
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			begin := time.Now()
			return begin, l.Cluster.DropLarge(l.Server.Node.Machine, l.Server.Addr, 1000)
		},
	}
}
