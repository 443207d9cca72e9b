package scenario

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// addressLost is a virtual address that moves away under its connections.
func addressLost() Scenario {
	return Scenario{
		Name: "address-lost",
		Story: "A program in the node's own network talks to a pod, from a second address of the node.\n" +
			"The address moves to another machine.\n" +
			"The kernel refuses to send from it, and what the peer sends goes elsewhere.",
		Expected:   Expectation{Symptom: flow.LocalDrop, Cause: flow.AddressLost},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			if l.Server, err = l.Cluster.StartPod(ctx, serverPod()); err != nil {
				return err
			}
			spec := cluster.PodSpec{Workload: "client", Node: "node-a", HostNetwork: true, Addr: l.Cluster.Spare(0), Source: true}
			return l.startClientPod(ctx, spec, netip.AddrPortFrom(l.Server.Addr, cluster.Port).String())
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.LoseAddress(l.Client.Node, l.Client.Addr) })
		},
	}
}
