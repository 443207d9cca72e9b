package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// livingControls are the ways in which the records of a backend change while
// it lives, each with a client that asks and one that is idle.
func livingControls() []Scenario {
	return []Scenario{serviceDeleted(), relabelled(), sliceMove(), noTargetRef(), hostNetworkRestart(), forcedTerminating()}
}

// living is a control in which a change of records concerns no connection.
func living(name, story string, server cluster.PodSpec, change func(context.Context, *Lab) error) Scenario {
	var idle *cluster.Pod
	return Scenario{
		Name: name, Story: story, stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			if err := l.startPairWith(ctx, server, false, "--idle"); err != nil {
				return err
			}
			idle = l.Client
			return l.startClient(ctx, l.Service.Address())
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.Settle(ctx); err != nil {
				return time.Time{}, err
			}
			begin := time.Now()
			if err := change(ctx, l); err != nil {
				return begin, err
			}
			if err := l.Watch(ctx, 5*time.Second); err != nil {
				return begin, err
			}
			return begin, errors.Join(neverGone(l), stillConnected(ctx, l, begin, idle))
		},
		prove: proveAwake,
	}
}

// neverGone demands that no backend was called gone.
func neverGone(l *Lab) error {
	for _, e := range l.Events(func(e flow.Event) bool { return e.Type == flow.EventAtRisk }) {
		return brokenClaim("a living backend is called gone: " + describe(e))
	}
	return nil
}

// stillConnected demands that the change disturbed no connection: else the
// scenario proves nothing.
func stillConnected(ctx context.Context, l *Lab, begin time.Time, idle *cluster.Pod) error {
	for _, p := range []*cluster.Pod{idle, l.Client} {
		for _, r := range p.Echo.Records() {
			if r.Kind == record.Closed {
				return fmt.Errorf("%s lost its connection", p.Name)
			}
		}
	}
	_, err := l.Client.Echo.Await(ctx, 5, "getting answers all the time", func(r record.Record) bool {
		return r.Kind == record.Read && r.Time.After(begin)
	})
	return err
}

// aside is how long an endpoint stays out of every slice, if it comes back.
const aside = time.Second

func serviceDeleted() Scenario {
	return living("service-deleted",
		"A Service with open connections is deleted, and created again with the same ClusterIP.\n"+
			"Its pod lives all the time, and conntrack carries the connections on.\n"+
			"Nobody is gone.",
		serverPod(), func(ctx context.Context, l *Lab) error {
			if err := l.Cluster.RemoveService(l.Service); err != nil {
				return err
			}
			if !pause(ctx, aside) {
				return ctx.Err()
			}
			return l.Cluster.ReturnService(l.Service)
		})
}

func relabelled() Scenario {
	return living("relabelled",
		"A pod with open connections loses the label that its Service selects, as one does to look at it in peace.\n"+
			"It leaves the slice, and serves the connections that it has.\n"+
			"It is no backend any more, and it is not gone.",
		serverPod(), func(_ context.Context, l *Lab) error { return l.Cluster.Relabel(l.Server, "quarantine") })
}

func sliceMove() Scenario {
	return living("slice-move",
		"An endpoint leaves its slice and appears in another one a second later, as when slices are repacked.\n"+
			"Its pod does not notice.\n"+
			"Nobody is gone.",
		serverPod(), func(ctx context.Context, l *Lab) error {
			if err := l.Cluster.Relabel(l.Server, "nothing"); err != nil {
				return err
			}
			if !pause(ctx, aside) {
				return ctx.Err()
			}
			return errors.Join(l.Cluster.Relabel(l.Server, "server"), l.Cluster.RenewSlice(l.Service))
		})
}

func noTargetRef() Scenario {
	return living("no-target-ref",
		"A Service's endpoints name no pods, as those that are written by hand; then one leaves its slice.\n"+
			"Who had the address is not known from it, nor what became of them.\n"+
			"Nobody is called gone.",
		serverPod(), func(ctx context.Context, l *Lab) error {
			if err := l.Cluster.NameNoPods(l.Service); err != nil {
				return err
			}
			if !pause(ctx, aside) {
				return ctx.Err()
			}
			return l.Cluster.Relabel(l.Server, "nothing")
		})
}

func hostNetworkRestart() Scenario {
	server := serverPod()
	server.HostNetwork = true
	return living("hostnetwork-restart",
		"A pod that uses its host's network is deleted; its process takes its time.\n"+
			"The address is the host's, which lives, and so does the server there.\n"+
			"Nobody is gone.",
		server, func(_ context.Context, l *Lab) error { return l.Cluster.DeleteObject(l.Server) })
}
