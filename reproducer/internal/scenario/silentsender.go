package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// silentSender is an application that only notices a full buffer.
func silentSender() Scenario {
	var blocked cluster.Socket
	return Scenario{
		Name: "silent-sender",
		Story: "A client only sends, as loggers and replicas do, to a ClusterIP; the server pod is force-deleted.\n" +
			"Its writes succeed until the send buffer is full, then it blocks.\n" +
			"The kernel gives up, and what the buffer held is lost: what never left for certain.",
		Expected: Expectation{
			Symptom: flow.Retransmitting, Cause: flow.StaleConntrack, Outcome: flow.TimedOut, Error: "ETIMEDOUT",
		},
		stuckAfter: 3 * time.Second,
		prepare:    startSender,
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.SettleStream(ctx); err != nil {
				return time.Time{}, err
			}
			removal, err := l.Cluster.ForceDelete(l.Server)
			return removal.Route, err
		},
		aftermath: func(ctx context.Context, l *Lab) (err error) {
			blocked, err = awaitBlocked(ctx, l)
			return err
		},
		checkEnd: func(ctx context.Context, l *Lab, f flow.Finding) error {
			if f.Unsent != blocked.Unsent {
				return fmt.Errorf("%d bytes were never sent, not %d", blocked.Unsent, f.Unsent)
			}
			if f.SendBufferUsed < 0.9 {
				return fmt.Errorf("the send buffer was full, not used to %.2f", f.SendBufferUsed)
			}
			return bytesLost(ctx, l, f)
		},
	}
}

// silentSenderL2 is the same with a server that is off the wire.
func silentSenderL2() Scenario {
	return Scenario{
		Name: "silent-sender-l2",
		Story: "A client only sends, to a ClusterIP; the server's node leaves the switch.\n" +
			"Nobody answers for its address; the client's node says so with an ICMP host unreachable.\n" +
			"The client's writes succeed until the kernel gives up: EHOSTUNREACH, and the buffer is lost.",
		Expected: Expectation{
			Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable, Outcome: flow.TimedOut, Error: "EHOSTUNREACH",
		},
		stuckAfter: 2 * time.Second,
		shaken:     true,
		prepare:    startSender,
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if err := l.SettleStream(ctx); err != nil {
				return time.Time{}, err
			}
			begin := time.Now()
			return begin, l.Cluster.Unplug(l.Server.Node.Machine)
		},
		checkEnd: bytesLost,
	}
}

// startSender starts a client that only sends, from a small buffer, to a
// server that only reads.
func startSender(ctx context.Context, l *Lab) error {
	server := serverPod()
	server.Args = append(server.Args, "--discard")
	if err := l.startPairWith(ctx, server, false, "--stream", "16000"); err != nil {
		return err
	}
	return hasten(l.Client, 3)
}

// awaitBlocked waits until a write of the client does not return.
func awaitBlocked(ctx context.Context, l *Lab) (cluster.Socket, error) {
	const long = 4 * requestInterval
	waiting, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	err := await(waiting, func() (bool, error) {
		records := l.Client.Echo.Records()
		latest := records[len(records)-1]
		return latest.Kind == record.Write && time.Since(latest.Time) > long, nil
	})
	if err != nil {
		return cluster.Socket{}, fmt.Errorf("wait for the client to block: %w", err)
	}
	s, err := l.clientSocket()
	if err != nil {
		return s, err
	}
	l.Timeline.Add("the client is blocked in a write; its socket holds %d bytes, %d of them never sent", s.Unacknowledged, s.Unsent)
	return s, nil
}

// bytesLost compares the lost bytes with what the application wrote and what arrived.
func bytesLost(_ context.Context, l *Lab, f flow.Finding) error {
	wrote := last(l.Client.Echo.Records(), record.Wrote).Bytes
	read := last(l.Server.Echo.Records(), record.Read).Bytes
	lost := int64(f.Unsent) + int64(f.Unacknowledged)
	l.Timeline.Add("%d bytes were written, %d arrived; the agent counts %d never sent and %d unacknowledged", wrote, read, f.Unsent, f.Unacknowledged)
	if missing := wrote - read; missing < int64(f.Unsent) || missing > lost {
		return fmt.Errorf("%d bytes are missing, not from %d to %d", missing, f.Unsent, lost)
	}
	if lost == 0 {
		return fmt.Errorf("nothing was lost")
	}
	return nil
}
