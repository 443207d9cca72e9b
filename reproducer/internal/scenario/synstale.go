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
		subject: connectsAgain,
	}
}

// againAfter does something, and then has the client connect again: its server is deleted, and
// the FIN gets through.
func (l *Lab) againAfter(ctx context.Context, fault func() error) (time.Time, error) {
	return l.afterAnswer(ctx, func() error {
		if _, err := l.Cluster.StartPod(ctx, serverPod()); err != nil {
			return err
		}
		if err := fault(); err != nil {
			return err
		}
		_, err := l.Cluster.ForceDeleteLate(ctx, l.Server)
		return err
	})
}

// secondConnection demands that a finding is about the connection that the client made last.
func (l *Lab) secondConnection(f flow.Finding) error {
	records := l.Client.Echo.Records()
	if latest := last(records, record.Connected); f.Local.Addr != latest.Local || last(records, record.Closed).Time.IsZero() {
		return fmt.Errorf("flow %s was reported, the one that hangs is %s", f.Local.Addr, latest.Local)
	}
	return nil
}

// connectsAgain demands that a finding is about the client's second attempt to connect.
func connectsAgain(l *Lab, f flow.Finding) error {
	if f.State != flow.SynSent || f.Local.Addr.Addr() != l.Client.Addr {
		return fmt.Errorf("flow %s in %s was reported, the one that hangs connects from %s", f.Local.Addr, f.State, l.Client.Addr)
	}
	if last(l.Client.Echo.Records(), record.Closed).Time.IsZero() {
		return errors.New("the client never lost its first connection")
	}
	return nil
}
