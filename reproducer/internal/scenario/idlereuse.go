package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// idleReuse is addressReuse of a client that never writes: another pod at its
// peer's address is no recovery.
func idleReuse() Scenario {
	return Scenario{
		Name: "idle-address-reuse",
		Story: "A client waits for data on a connection to a ClusterIP and never writes; the server pod, on another node, is force-deleted.\n" +
			"Its address is given to a new pod of another workload, which knows nothing of the connection.\n" +
			"The address is alive, and the client waits for ever.",
		Expected:   Expectation{Symptom: flow.HalfOpen, Cause: flow.AddressReused},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false, "--idle") },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			// Clocks of two machines may be 2 s apart, and the API rounds to 1 s.
			if !pause(ctx, 3100*time.Millisecond) {
				return time.Time{}, ctx.Err()
			}
			removal, err := l.Cluster.ForceDelete(l.Server)
			if err != nil {
				return removal.Route, err
			}
			heir := cluster.PodSpec{Workload: "batch", Node: "node-b", Args: []string{"server"}, Addr: l.Server.Addr, Isolated: true}
			_, err = l.Cluster.StartPod(ctx, heir)
			return removal.Object, err
		},
		check: func(l *Lab, f flow.Finding) error {
			if f.Backend == nil || f.Backend.Addr.Addr() != l.Server.Addr {
				return fmt.Errorf("the backend is %+v, not at %s", f.Backend, l.Server.Addr)
			}
			return nothingSent(l, l.Client, f)
		},
	}
}
