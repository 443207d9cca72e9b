package scenario

import (
	"context"
	"time"
)

// forcedTerminating is what an impatient operator does. Between the pod's
// last record and its FIN the agent may list the idle client as at risk:
// conntrack still sends it to a pod that is deleted.
func forcedTerminating() Scenario {
	const drain = 3 * time.Second
	return Scenario{
		Name: "forced-terminating",
		Story: "A pod that terminates, and drains its connections, is force-deleted: the API forgets it.\n" +
			"Its process and its network stay until it has drained; every request is answered, and its FIN gets through.\n" +
			"A segment on the wire outranks the record: nothing is reported.",
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			if err := l.startPairWith(ctx, drainingServer(drain), false, "--idle"); err != nil {
				return err
			}
			return l.startClient(ctx, l.Service.Address())
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.Settle(ctx); err != nil {
				return time.Time{}, err
			}
			begin := time.Now()
			if _, err := l.Cluster.StartPod(ctx, drainingServer(drain)); err != nil {
				return begin, err
			}
			if err := l.Cluster.Terminate(l.Server); err != nil {
				return begin, err
			}
			if !pause(ctx, aside) {
				return begin, ctx.Err()
			}
			if err := l.Cluster.DeleteObject(l.Server); err != nil {
				return begin, err
			}
			if err := l.awaitReconnect(ctx, begin); err != nil {
				return begin, err
			}
			return begin, l.Watch(ctx, 4*time.Second)
		},
		prove: proveAwake,
	}
}
