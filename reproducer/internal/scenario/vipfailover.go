package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// vipFailover is the far end of a connection that came in through another node.
func vipFailover() Scenario {
	return Scenario{
		Name: "vip-failover",
		Story: "A client outside the cluster talks to a virtual IP on node-b, which passes it on to a gateway pod on node-a.\n" +
			"node-b dies, and the virtual IP moves to node-a, which has no conntrack entry for the connection.\n" +
			"The gateway's answers still go to node-b, the only client that it ever saw.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable},
		stuckAfter: 3 * time.Second,
		prepare:    startBehindVIP,
		fault: func(_ context.Context, l *Lab) (time.Time, error) {
			begin := time.Now()
			b := l.Cluster.Nodes[1]
			if err := l.Cluster.Cut(b.Machine); err != nil {
				return begin, err
			}
			if err := l.Cluster.LoseNode(b); err != nil {
				return begin, err
			}
			return begin, l.Cluster.MoveVIP(l.Cluster.Nodes[0])
		},
		subject: func(l *Lab, f flow.Finding) error {
			accepted := last(l.Server.Echo.Records(), record.Accepted)
			if f.Local.Addr != accepted.Local || f.Peer.Addr != accepted.Remote {
				return fmt.Errorf("flow %s to %s was reported, the one that hangs is %s to %s", f.Local.Addr, f.Peer.Addr, accepted.Local, accepted.Remote)
			}
			return nil
		},
		check: func(_ *Lab, f flow.Finding) error {
			if f.Role != flow.Server || f.Peer.Class != flow.PeerNode {
				return fmt.Errorf("role %q, peer class %q: it is the server of a node", f.Role, f.Peer.Class)
			}
			return nil
		},
	}
}

// startBehindVIP starts a gateway on node-a that sends without requests, a Service in front
// of it with a virtual IP on node-b, and a client outside.
func startBehindVIP(ctx context.Context, l *Lab) (err error) {
	svc, err := l.Cluster.AddService("gateway", "gateway", false)
	if err != nil {
		return err
	}
	if l.Server, err = l.Cluster.StartPod(ctx, cluster.PodSpec{Workload: "gateway", Node: "node-a", Args: []string{"server", "--push", "250ms"}}); err != nil {
		return err
	}
	vip, err := l.Cluster.AddVIP(svc)
	if err != nil {
		return err
	}
	if err := l.Cluster.MoveVIP(l.Cluster.Nodes[1]); err != nil {
		return err
	}
	_, err = l.Cluster.StartHost(ctx, "browser", []string{"client", "--idle", "--server", vip})
	if err != nil {
		return err
	}
	accepted, err := l.Server.Echo.AwaitKind(ctx, 1, record.Accepted)
	if err != nil {
		return err
	}
	if seen := accepted.Remote.Addr(); seen != l.Cluster.Nodes[1].Addr {
		return fmt.Errorf("the gateway sees %s, not the node that the client came by", seen)
	}
	return nil
}
