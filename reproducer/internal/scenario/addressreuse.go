package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// addressReuse is calico in a small block of addresses.
func addressReuse() Scenario {
	// Addresses come round within seconds, and clocks differ by as much: a
	// client that is quiet in between is the one that nobody warns.
	const quiet = 7 * time.Second
	return Scenario{
		Name: "address-reuse",
		Story: "A client talks to a ClusterIP; the server pod, on another node, is force-deleted.\n" +
			"Its address is given to a new pod of another workload, which a policy isolates: it drops what it gets.\n" +
			"The client's segments reach a pod that knows nothing of them; it hangs.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.AddressReused},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false, "--interval", quiet.String()) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			removal, err := l.Cluster.ForceDelete(l.Server)
			if err != nil {
				return removal.Route, err
			}
			if !pause(ctx, quiet/2) {
				return removal.Route, ctx.Err()
			}
			_, err = l.Cluster.StartPod(ctx, cluster.PodSpec{
				Workload: "batch", Node: "node-b", Args: []string{"server"}, Addr: l.Server.Addr, Isolated: true,
			})
			return removal.Route, err
		},
		check: func(l *Lab, f flow.Finding) error {
			if f.Backend == nil || f.Backend.Addr.Addr() != l.Server.Addr {
				return fmt.Errorf("the backend is %+v, not at %s", f.Backend, l.Server.Addr)
			}
			return nil
		},
	}
}
