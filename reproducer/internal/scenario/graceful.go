package scenario

import (
	"context"
	"errors"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// graceful is a good rolling update. At its end the agent must find a real hang of the same
// client, so that a deaf agent cannot pass.
func graceful() Scenario {
	const drain = 2 * time.Second
	return Scenario{
		Name: "graceful",
		Story: "A rolling update: a new server pod starts, the old one becomes terminating and drains its connections.\n" +
			"The client gets its answers until the old server closes; then it connects to the new one.\n" +
			"The old pod goes, with nothing outstanding.",
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startDrainingPair(ctx, drain) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.Settle(ctx); err != nil {
				return time.Time{}, err
			}
			begin := time.Now()
			if _, err := l.Cluster.StartPod(ctx, drainingServer(drain)); err != nil {
				return begin, err
			}
			removal, err := l.Cluster.GracefulDelete(ctx, l.Server, 30*time.Second)
			if err != nil {
				return begin, err
			}
			if _, err := l.Client.Echo.Await(ctx, 2, "getting answers from the new server", func(r record.Record) bool {
				return r.Kind == record.Read && r.Time.After(removal.Object)
			}); err != nil {
				return begin, err
			}
			return begin, l.Watch(ctx, 4*time.Second)
		},
		prove: proveAwake,
	}
}

// proveAwake proves that the agent would have reported a stuck client: it cuts off node-b,
// where the server is by now, and demands a report.
func proveAwake(ctx context.Context, l *Lab) error {
	n, err := l.Cluster.Node("node-b")
	if err != nil {
		return err
	}
	if err := l.Cluster.Cut(n.Machine); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, l.atMost(3*time.Second+margin))
	defer cancel()
	_, err = l.AwaitEvent(waiting, stuckEvent)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return brokenClaim("the agent does not see this client: a real hang goes unreported, too")
	}
	if err == nil {
		l.Timeline.Add("that one is real: the agent is awake")
	}
	return err
}

// startDrainingPair starts a server that drains, and a client of it.
func (l *Lab) startDrainingPair(ctx context.Context, drain time.Duration, more ...string) error {
	svc, err := l.Cluster.AddService("server", "server", false)
	if err != nil {
		return err
	}
	if l.Server, err = l.Cluster.StartPod(ctx, drainingServer(drain)); err != nil {
		return err
	}
	return l.startClient(ctx, svc.Address(), more...)
}

func drainingServer(drain time.Duration) cluster.PodSpec {
	return cluster.PodSpec{Workload: "server", Node: "node-b", Args: []string{"server", "--drain", drain.String()}}
}
