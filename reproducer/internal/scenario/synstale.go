package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// synStale is a kube-proxy that does not update its rules.
func synStale() Scenario {
	return Scenario{
		Name: "syn-stale",
		Story: "A client talks to a ClusterIP; kube-proxy has stopped following the API.\n" +
			"The server pod is force-deleted; its FIN gets through, and the client connects again.\n" +
			"The old rules send every new connection to the dead pod: it is never made.",
		Expected:   Expectation{Symptom: flow.Connecting, Cause: flow.StaleConntrack},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.Settle(ctx); err != nil {
				return time.Time{}, err
			}
			l.Cluster.StopProxies(l.Service)
			removal, err := l.Cluster.ForceDeleteLate(ctx, l.Server)
			if err != nil {
				return removal.Route, err
			}
			_, err = l.Cluster.StartPod(ctx, serverPod())
			return removal.Route, err
		},
		subject: func(l *Lab, f flow.Finding) error {
			if f.State != flow.SynSent || f.Local.Addr.Addr() != l.Client.Addr {
				return fmt.Errorf("flow %s in %s was reported, the one that hangs connects from %s", f.Local.Addr, f.State, l.Client.Addr)
			}
			if last(l.Client.Echo.Records(), record.Closed).Time.IsZero() {
				return errors.New("the client never lost its first connection")
			}
			return nil
		},
	}
}
