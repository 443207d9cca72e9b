package scenario

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// localBlackhole is a route that this host lost.
func localBlackhole() Scenario {
	return Scenario{
		Name: "local-blackhole",
		Story: "A program in the node's own network talks to a pod; the route to that pod's node becomes a blackhole.\n" +
			"Nothing that it sends leaves the host any more.\n" +
			"The peer is well; the reason is here.",
		Expected:   Expectation{Symptom: flow.LocalDrop, Cause: flow.NoRoute},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		prepare:    startHostClient,
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.Blackhole(l.Client.Node, l.Server.Node.Block) })
		},
	}
}

// localFilter is a filter on this host.
func localFilter() Scenario {
	return Scenario{
		Name: "local-filter",
		Story: "A program in the node's own network talks to a pod; a filter on the node drops what goes there.\n" +
			"Nothing that it sends leaves the host any more.\n" +
			"The peer is well; the reason is here.",
		Expected:   Expectation{Symptom: flow.LocalDrop, Cause: flow.LocalFilter},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		prepare:    startHostClient,
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.DropSent(l.Client.Node.Machine, l.Server.Addr) })
		},
	}
}

// startHostClient starts a server on node-b, and a client in node-a's own
// network.
func startHostClient(ctx context.Context, l *Lab) (err error) {
	if l.Server, err = l.Cluster.StartPod(ctx, serverPod()); err != nil {
		return err
	}
	return l.startClientPod(ctx, cluster.PodSpec{Workload: "client", Node: "node-a", HostNetwork: true},
		netip.AddrPortFrom(l.Server.Addr, cluster.Port).String())
}
