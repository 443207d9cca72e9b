package scenario

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// zeroWindow is a receiver that lives and does not read.
func zeroWindow() Scenario {
	return Scenario{
		Name: "zero-window",
		Story: "A client streams to a consumer behind a ClusterIP; the consumer's process stops.\n" +
			"Its kernel still answers every probe: the window is closed.\n" +
			"The network is well, and so is the kernel's patience: it never gives up.",
		Expected:   Expectation{Symptom: flow.ZeroWindow, Cause: flow.SlowReader},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		prepare:    startStream,
		fault:      stopReading,
		check: func(_ *Lab, f flow.Finding) error {
			if !f.GivesUp.Never || !f.ZeroWindow {
				return fmt.Errorf("the kernel never gives up on a closed window that is answered; the agent says %+v, window closed: %v", f.GivesUp, f.ZeroWindow)
			}
			return nil
		},
	}
}

// zeroWindowDead is a closed window that will never open.
func zeroWindowDead() Scenario {
	return Scenario{
		Name: "zero-window-dead",
		Story: "A client streams to a consumer behind a ClusterIP; the consumer's process stops.\n" +
			"Then its node is cut off: the window is closed, and nobody answers the probes.\n" +
			"That is no slow reader; the kernel gives up when it has probed often enough.",
		Expected: Expectation{
			Symptom: flow.ZeroWindow, Cause: flow.PeerUnreachable, Outcome: flow.TimedOut, Error: "ETIMEDOUT",
		},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		prepare: func(ctx context.Context, l *Lab) error {
			if err := startStream(ctx, l); err != nil {
				return err
			}
			return hasten(l.Client, 6)
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			if _, err := stopReading(ctx, l); err != nil {
				return time.Time{}, err
			}
			begin := time.Now()
			return begin, l.Cluster.Cut(l.Server.Node.Machine)
		},
	}
}

// startStream starts a client that sends without end to a server that only
// reads.
func startStream(ctx context.Context, l *Lab) error {
	return l.startPairWith(ctx, drinkingServer(), false, "--interval", "10ms", "--stream", "16000")
}

// drinkingServer is a server on node-b that reads and never answers.
func drinkingServer() cluster.PodSpec {
	s := serverPod()
	s.Args = append(s.Args, "--discard")
	return s
}

// stopReading stops the server's process and waits until its window is
// closed.
func stopReading(ctx context.Context, l *Lab) (time.Time, error) {
	if err := l.SettleStream(ctx); err != nil {
		return time.Time{}, err
	}
	if err := l.Server.Echo.Signal(syscall.SIGSTOP); err != nil {
		return time.Time{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	err := await(waiting, func() (bool, error) {
		s, err := l.clientSocket()
		return s.PeerWindow == 0, err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("wait for the window to close: %w", err)
	}
	l.Timeline.Add("the consumer's process is stopped, and its window is closed")
	return time.Now(), nil
}
