package scenario

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// sameNode is calico's control: the client's node is the server's.
func sameNode() Scenario {
	return Scenario{
		Name: "same-node",
		Story: "A client talks to a ClusterIP; the server pod, on the client's own node, is force-deleted.\n" +
			"That node forgets the pod's connections, and another endpoint is there.\n" +
			"The client's next segment meets it and is reset; the client connects again.",
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return l.startPairWith(ctx, serverBeside(), false)
		},
		fault: replaced(serverPod(), func(_ context.Context, l *Lab) error {
			_, err := l.Cluster.ForceDelete(l.Server)
			return err
		}),
		prove: proveAwake,
	}
}

// serverBeside is a server on the client's node.
func serverBeside() cluster.PodSpec {
	s := serverPod()
	s.Node = "node-a"
	return s
}

// replaced starts another server, then ends the first one as remove does, and
// waits until the client has an answer of the other one.
func replaced(with cluster.PodSpec, remove func(context.Context, *Lab) error) func(context.Context, *Lab) (time.Time, error) {
	return func(ctx context.Context, l *Lab) (time.Time, error) {
		begin := time.Now()
		if _, err := l.Cluster.StartPod(ctx, with); err != nil {
			return begin, err
		}
		if err := l.Settle(ctx); err != nil {
			return begin, err
		}
		if err := remove(ctx, l); err != nil {
			return begin, err
		}
		if err := l.awaitReconnect(ctx, begin); err != nil {
			return begin, err
		}
		return begin, l.Watch(ctx, 4*time.Second)
	}
}

// awaitReconnect waits until the client has lost its connection after begin,
// made another one and got an answer on it.
func (l *Lab) awaitReconnect(ctx context.Context, begin time.Time) error {
	waiting, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	closed, err := l.Client.Echo.Await(waiting, 1, "losing its connection", func(r record.Record) bool {
		return r.Kind == record.Closed && r.Time.After(begin)
	})
	if err != nil {
		return err
	}
	read, err := l.Client.Echo.Await(waiting, 1, "getting an answer on another connection", func(r record.Record) bool {
		return r.Kind == record.Read && r.Time.After(closed.Time)
	})
	if err != nil {
		return err
	}
	l.Timeline.Add("the client lost its connection, and %.2f s later it had an answer on another one", read.Time.Sub(closed.Time).Seconds())
	return nil
}
