package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// mptcp is the control to every retransmitting flow whose connection has another path.
func mptcp() Scenario {
	var second, dead netip.Addr
	return Scenario{
		Name: "mptcp",
		Story: "A client streams to a ClusterIP over MPTCP, with subflows from two addresses of its pod.\n" +
			"One of the two paths dies; its subflow retransmits into nothing, and what it held goes by the other.\n" +
			"The application notices nothing: nothing is stuck.",
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			err := l.startPairWith(ctx, drinkingServer(), false, "--multipath", "--interval", "5ms", "--stream", "64000")
			if err != nil {
				return err
			}
			if second, err = l.Cluster.AddPath(l.Client); err != nil {
				return err
			}
			return awaitSubflow(ctx, l, second)
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			begin := time.Now()
			var err error
			if dead, err = busierPath(ctx, l, l.Client.Addr, second); err != nil {
				return begin, err
			}
			if err := l.Cluster.DropFrom(l.Server.Node.Machine, dead); err != nil {
				return begin, err
			}
			if err := l.Watch(ctx, 8*time.Second); err != nil {
				return begin, err
			}
			return begin, subflowDied(l, dead)
		},
		prove: func(ctx context.Context, l *Lab) error {
			return l.AwaitMetric(ctx, "tcpstuck_retransmissions_total", time.Second, func(v float64) bool { return v > 0 })
		},
	}
}

// awaitSubflow waits until the client's connection has a subflow from an
// address.
func awaitSubflow(ctx context.Context, l *Lab, from netip.Addr) error {
	waiting, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	err := await(waiting, func() (bool, error) {
		all, err := l.Client.SocketsAt(from)
		return len(all) == 1 && all[0].State == flow.Established, err
	})
	if err != nil {
		return fmt.Errorf("wait for a subflow from %s: %w", from, err)
	}
	l.Timeline.Add("the client's connection has a subflow from %s", from)
	return nil
}

// busierPath returns which of the addresses the kernel now sends more from: it
// may leave a path unused for as long as another one suffices.
func busierPath(ctx context.Context, l *Lab, paths ...netip.Addr) (netip.Addr, error) {
	const enough = 1 << 20
	before := make([]uint64, len(paths))
	busier := -1
	waiting, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	err := await(waiting, func() (bool, error) {
		for i, from := range paths {
			all, err := l.Client.SocketsAt(from)
			if err != nil || len(all) != 1 {
				return false, err
			}
			if before[i] == 0 {
				before[i] = all[0].Acknowledged
			}
			if all[0].Acknowledged > before[i]+enough {
				busier = i
			}
		}
		return busier >= 0, nil
	})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("wait for data on a subflow: %w", err)
	}
	return paths[busier], nil
}

// subflowDied demands that the subflow from an address hangs, and that the
// stream continues.
func subflowDied(l *Lab, from netip.Addr) error {
	all, err := l.Client.SocketsAt(from)
	if err != nil {
		return err
	}
	if len(all) != 1 || all[0].Retransmitted < 3 || all[0].Unacknowledged == 0 {
		return fmt.Errorf("the subflow from %s does not hang: %+v", from, all)
	}
	read := last(l.Server.Echo.Records(), record.Read)
	if time.Since(read.Time) > time.Second {
		return errors.New("the stream has stopped")
	}
	l.Timeline.Add("the subflow has retransmitted %d times and holds %d bytes; the stream goes on", all[0].Retransmitted, all[0].Unacknowledged)
	return nil
}
