package scenario

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// acceptQueue is a server that has stopped accepting, beside its clients.
func acceptQueue() Scenario {
	return Scenario{
		Name: "accept-queue",
		Story: "A server on the client's own node hangs; one connection may wait to be accepted, and two do.\n" +
			"Another client connects, and the kernel drops its SYN.\n" +
			"The server is listed and ready; only its listener knows.",
		Expected:   Expectation{Symptom: flow.Connecting, Cause: flow.AcceptQueueFull},
		stuckAfter: 2 * time.Second,
		quiet:      true,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			server := serverBeside()
			server.SoMaxConn = "1"
			if l.Server, err = l.Cluster.StartPod(ctx, server); err != nil {
				return err
			}
			if err := l.Server.Echo.Signal(syscall.SIGSTOP); err != nil {
				return err
			}
			early := cluster.PodSpec{Workload: "early", Node: "node-a", Args: []string{"client", "--idle", "--connections", "2", "--server", l.Server.Address()}}
			waiting, err := l.Cluster.StartPod(ctx, early)
			if err != nil {
				return err
			}
			if _, err := waiting.Echo.AwaitKind(ctx, 2, record.Connected); err != nil {
				return err
			}
			late := cluster.PodSpec{Workload: "client", Node: "node-a", Args: []string{"client", "--server", l.Server.Address()}}
			l.Client, err = l.Cluster.StartPod(ctx, late)
			return err
		},
		fault: func(context.Context, *Lab) (time.Time, error) { return time.Now(), nil }, // it has been so all the time
		subject: func(l *Lab, f flow.Finding) error {
			if f.State != flow.SynSent || f.Local.Addr.Addr() != l.Client.Addr {
				return fmt.Errorf("flow %s in %s was reported, the one that hangs connects from %s", f.Local.Addr, f.State, l.Client.Addr)
			}
			return nil
		},
		check: func(l *Lab, f flow.Finding) error {
			if name := l.Server.Name; !strings.Contains(f.Sentence, name) || !strings.Contains(f.Sentence, "2 connections wait, of 1 allowed") {
				return fmt.Errorf("the sentence does not name the listener of %s and its queue: %s", name, f.Sentence)
			}
			return nil
		},
	}
}
