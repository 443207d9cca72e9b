package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// calico is the case that gave the product its name.
func calico() Scenario {
	return Scenario{
		Name: "calico",
		Story: "A client talks to a ClusterIP; the server pod, on another node, is force-deleted and ignores SIGTERM.\n" +
			"Its route is cut before its FIN could leave, and a blackhole route takes what still comes for it.\n" +
			"The client's node translates to the dead pod for ever; the client hangs for a quarter of an hour.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.StaleConntrack},
		Families:   allFamilies(),
		stuckAfter: 10 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault:      forceDeleteServer,
		checkEnd:   staleEntryStays,
		check: func(l *Lab, f flow.Finding) error {
			if f.Backend == nil || f.Backend.Addr.Addr() != l.Server.Addr || f.Backend.State != flow.BackendDeleted {
				return fmt.Errorf("the backend is %+v, not the deleted pod %s", f.Backend, l.Server.Addr)
			}
			return nil
		},
	}
}

// startPair starts a server on node-b, a Service in front of it and a client
// on node-a that talks to it.
func (l *Lab) startPair(ctx context.Context, headless bool, clientArgs ...string) error {
	return l.startPairWith(ctx, serverPod(), headless, clientArgs...)
}

// serverPod is a server on node-b that ignores SIGTERM.
func serverPod() cluster.PodSpec {
	return cluster.PodSpec{Workload: "server", Node: "node-b", Args: []string{"server", "--catch-sigterm"}}
}

// startPairWith starts a server, a Service in front of it, and a client on
// node-a that talks to it.
func (l *Lab) startPairWith(ctx context.Context, server cluster.PodSpec, headless bool, clientArgs ...string) error {
	svc, err := l.Cluster.AddService("server", "server", headless)
	if err != nil {
		return err
	}
	l.Service = svc
	if l.Server, err = l.Cluster.StartPod(ctx, server); err != nil {
		return err
	}
	address := svc.Address()
	if headless { // a name of such a service resolves to its pods
		address = l.Server.Address()
	}
	return l.startClient(ctx, address, clientArgs...)
}

// startClient starts the client whose flow is watched, on node-a.
func (l *Lab) startClient(ctx context.Context, server string, more ...string) error {
	return l.startClientPod(ctx, cluster.PodSpec{Workload: "client", Node: "node-a"}, server, more...)
}

// startClientPod starts it in a pod of another kind.
func (l *Lab) startClientPod(ctx context.Context, pod cluster.PodSpec, server string, more ...string) (err error) {
	pod.Args = append([]string{"client", "--interval", requestInterval.String(), "--server", server}, more...)
	if l.Client, err = l.Cluster.StartPod(ctx, pod); err != nil {
		return err
	}
	first := record.Read
	switch {
	case slices.Contains(more, "--stream"):
		first = record.Wrote
	case slices.Contains(more, "--idle"):
		first = record.Connected
	}
	_, err = l.Client.Echo.AwaitKind(ctx, 1, first)
	return err
}

// forceDeleteServer deletes the server without grace, right after an answer.
// Its Deployment replaces it at once.
func forceDeleteServer(ctx context.Context, l *Lab) (time.Time, error) {
	if err := l.Settle(ctx); err != nil {
		return time.Time{}, err
	}
	removal, err := l.Cluster.ForceDelete(l.Server)
	if err != nil {
		return time.Time{}, err
	}
	_, err = l.Cluster.StartPod(ctx, serverPod())
	return removal.Route, err
}
