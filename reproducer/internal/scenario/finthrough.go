package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// finThrough is calico on a network that goes last.
func finThrough() Scenario {
	return Scenario{
		Name: "fin-through",
		Story: "A client talks to a ClusterIP; the server pod, on another node, is force-deleted and ignores SIGTERM.\n" +
			"The CNI leaves the route in place until the process is gone, so its FIN gets through.\n" +
			"The client reads the end, closes, and connects to another pod.",
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: replaced(serverPod(), func(ctx context.Context, l *Lab) error {
			_, err := l.Cluster.ForceDeleteLate(ctx, l.Server)
			return err
		}),
		prove: proveAwake,
	}
}

// sigtermHandled is a server that ends on SIGTERM.
func sigtermHandled() Scenario {
	return Scenario{
		Name: "sigterm-handled",
		Story: "A client talks to a ClusterIP; the server pod, on another node, is deleted and exits on SIGTERM.\n" +
			"Its process is gone before its network is, so its FIN gets through.\n" +
			"The client reads the end, closes, and connects to another pod.",
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return l.startPairWith(ctx, obedientServer(), false)
		},
		fault: replaced(obedientServer(), func(ctx context.Context, l *Lab) error {
			_, err := l.Cluster.GracefulDelete(ctx, l.Server, 30*time.Second)
			return err
		}),
		prove: proveAwake,
	}
}

func obedientServer() cluster.PodSpec {
	return cluster.PodSpec{Workload: "server", Node: "node-b", Args: []string{"server"}}
}
