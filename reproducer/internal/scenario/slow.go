package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// slow is the control to every closed window: one that opens again.
func slow() Scenario {
	return Scenario{
		Name: "slow",
		Story: "A client streams as fast as it can to a consumer that reads slowly, behind a ClusterIP.\n" +
			"Its window is closed most of the time, and every time it opens again.\n" +
			"Nothing is stuck.",
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			sipping := cluster.PodSpec{Workload: "server", Node: "node-b", Args: []string{"server", "--discard", "--sip", "100ms"}}
			return l.startPairWith(ctx, sipping, false, "--interval", "1ms", "--stream", "65536")
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			begin := time.Now()
			if err := l.Watch(ctx, 8*time.Second); err != nil {
				return begin, err
			}
			s, err := l.clientSocket()
			if err != nil {
				return begin, err
			}
			read := last(l.Server.Echo.Records(), record.Read)
			l.Timeline.Add("the consumer has read %d bytes; its window held the client back for %s", read.Bytes, s.HeldBack)
			if s.HeldBack < 4*time.Second || read.Time.Before(time.Now().Add(-time.Second)) {
				return begin, fmt.Errorf("that is no slow consumer that still reads")
			}
			return begin, nil
		},
		prove: proveAwake,
	}
}

// clientSocket returns the kernel's state of the client's first connection.
func (l *Lab) clientSocket() (cluster.Socket, error) {
	for _, r := range l.Client.Echo.Records() {
		if r.Kind != record.Connected {
			continue
		}
		s, found, err := l.Client.Socket(r.Local)
		if err == nil && !found {
			err = fmt.Errorf("the client's socket %s is gone", r.Local)
		}
		return s, err
	}
	return cluster.Socket{}, fmt.Errorf("the client never connected")
}
