package scenario

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// egress is a peer that no record can know.
func egress() Scenario {
	return Scenario{
		Name: "egress",
		Story: "A client talks to a database outside the cluster, masqueraded by its node.\n" +
			"The database goes silent.\n" +
			"No record of it exists; all that is known is the label that --name gives it.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.PeerSilent},
		stuckAfter: 3 * time.Second,
		agentArgs:  []string{"--name=203.0.113.0/24=database", "--name=2001:db8::/64=database"},
		prepare: func(ctx context.Context, l *Lab) error {
			database, err := l.Cluster.StartHost(ctx, "database", []string{"server"})
			if err != nil {
				return err
			}
			return l.startClient(ctx, netip.AddrPortFrom(database.Addr, cluster.Port).String())
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.Cut(l.Cluster.Internet) })
		},
		check: func(_ *Lab, f flow.Finding) error {
			if f.Peer.Class != flow.PeerExternal || f.Peer.Name != "database" {
				return fmt.Errorf("the peer is %q, class %q, not the external database", f.Peer.Name, f.Peer.Class)
			}
			return nil
		},
	}
}
