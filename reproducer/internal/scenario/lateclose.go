package scenario

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// gracefulLateClose is what pools of connections do at every rolling update.
func gracefulLateClose() Scenario {
	const late = 5 * time.Second
	return Scenario{
		Name: "graceful-late-close",
		Story: "A client keeps an idle connection in a pool; the server terminates gracefully and closes it.\n" +
			"The client does not look, and closes its end only 5 s after the pod is gone.\n" +
			"Its FIN retransmits into nothing: no data is at stake, and it ends by itself.",
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return l.startDrainingPair(ctx, 100*time.Millisecond, "--requests", "1")
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			begin := time.Now()
			removal, err := l.Cluster.GracefulDelete(ctx, l.Server, 30*time.Second)
			if err != nil {
				return begin, err
			}
			if !pause(ctx, time.Until(removal.Route.Add(late))) {
				return begin, ctx.Err()
			}
			if err := l.Client.Echo.Signal(syscall.SIGTERM); err != nil {
				return begin, err
			}
			<-l.Client.Echo.Done()
			if err := l.Client.Echo.Err(); err != nil {
				return begin, fmt.Errorf("the client did not end well: %w\n%s", err, l.Client.Echo.Log())
			}
			l.Timeline.Add("the client has closed its connection")
			if err := l.AwaitMetric(ctx, "tcpstuck_closing_flows", 20*time.Second, func(v float64) bool { return v == 1 }); err != nil {
				return begin, err
			}
			return begin, l.Watch(ctx, 5*time.Second)
		},
	}
}
