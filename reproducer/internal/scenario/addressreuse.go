package scenario

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// addressReuse is calico in a small block of addresses.
func addressReuse() Scenario {
	return Scenario{
		Name: "address-reuse",
		Story: "A client talks to a ClusterIP, and then is busy elsewhere; the server pod, on another node, is force-deleted.\n" +
			"Its address is given to a new pod of another workload, which a policy isolates: it drops what it gets.\n" +
			"The client's next request reaches a pod that knows nothing of it; it hangs.",
		Expected:   Expectation{Symptom: flow.Retransmitting, Cause: flow.AddressReused},
		stuckAfter: 3 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault:      giveAddressAway,
		check: func(l *Lab, f flow.Finding) error {
			if f.Backend == nil || f.Backend.Addr.Addr() != l.Server.Addr {
				return fmt.Errorf("the backend is %+v, not at %s", f.Backend, l.Server.Addr)
			}
			return nil
		},
	}
}

// giveAddressAway deletes the server and gives its address to another pod,
// while the client's process is stopped.
func giveAddressAway(ctx context.Context, l *Lab) (time.Time, error) {
	// Clocks of two machines may be 2 s apart, and the API rounds to 1 s.
	const soonest = 3100 * time.Millisecond
	if err := l.Settle(ctx); err != nil {
		return time.Time{}, err
	}
	if err := l.Client.Echo.Signal(syscall.SIGSTOP); err != nil {
		return time.Time{}, err
	}
	lastSegment := last(l.Client.Echo.Records(), record.Read).Time
	removal, err := l.Cluster.ForceDelete(l.Server)
	if err != nil {
		return removal.Route, err
	}
	if !pause(ctx, time.Until(lastSegment.Add(soonest))) {
		return removal.Route, ctx.Err()
	}
	heir := cluster.PodSpec{Workload: "batch", Node: "node-b", Args: []string{"server"}, Addr: l.Server.Addr, Isolated: true}
	if _, err := l.Cluster.StartPod(ctx, heir); err != nil {
		return removal.Route, err
	}
	return removal.Route, l.Client.Echo.Signal(syscall.SIGCONT)
}
