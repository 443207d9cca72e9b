package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// oneFlight is a path MTU hole that a single request meets.
func oneFlight() Scenario {
	return Scenario{
		Name: "one-flight",
		Story: "A client sends a full segment and a small one at once, every few seconds; large packets now vanish on the way.\n" +
			"The small one arrives and is acknowledged selectively; then only the large one is sent again.\n" +
			"A server that gets nothing says nothing.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PathDrop},
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			deaf := serverPod()
			deaf.Args = append(deaf.Args, "--discard")
			if l.Server, err = l.Cluster.StartPod(ctx, deaf); err != nil {
				return err
			}
			spec := cluster.PodSpec{Workload: "client", Node: "node-a", Unmerged: true}
			return l.startClientPod(ctx, spec, l.Server.Address(), "--stream", "1700", "--interval", "3s")
		},
		fault: func(_ context.Context, l *Lab) (time.Time, error) {
			return time.Now(), l.Cluster.DropLarge(l.Server.Node.Machine, l.Server.Addr, 1000)
		},
	}
}
