package scenario

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// windowReopens is the control to windowReopensDead: all waiting data arrives.
func windowReopens() Scenario {
	return Scenario{
		Name: "window-reopens",
		Story: "A client streams to a consumer behind a ClusterIP; the consumer's process stops, and goes on some seconds later.\n" +
			"The window opens, and all that waited arrives.\n" +
			"That is a recovery: the consumer acknowledges what it got.",
		Expected:   Expectation{Symptom: flow.ZeroWindow, Cause: flow.SlowReader, Outcome: flow.Recovered},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		prepare:    startStream,
		fault:      stopReading,
		aftermath:  func(_ context.Context, l *Lab) error { return readOn(l) },
	}
}

// windowReopensDead is a window that opens onto a dead path.
func windowReopensDead() Scenario {
	return Scenario{
		Name: "window-reopens-dead",
		Story: "A client streams to a consumer behind a ClusterIP; the consumer's process stops.\n" +
			"It goes on, and its window opens; but by then only small packets get through to it.\n" +
			"Nothing is acknowledged: the connection did not recover, and the kernel gives it up.",
		Expected:   Expectation{Symptom: flow.ZeroWindow, Cause: flow.SlowReader, Outcome: flow.TimedOut, Error: "ETIMEDOUT"},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		shaken:     true, // the clock of the end starts when the window opens
		prepare: func(ctx context.Context, l *Lab) error {
			if err := startStream(ctx, l); err != nil {
				return err
			}
			return hasten(l.Client, 5)
		},
		fault: stopReading,
		aftermath: func(_ context.Context, l *Lab) error {
			if err := l.Cluster.DropLarge(l.Server.Node.Machine, l.Server.Addr, 100); err != nil {
				return err
			}
			return readOn(l)
		},
		checkEnd: func(_ context.Context, l *Lab, f flow.Finding) error { return oneEpisode(l, f.ID, flow.Retransmitting) },
	}
}

// filterThenDead is a filter that goes after the server has gone.
func filterThenDead() Scenario {
	return Scenario{
		Name: "filter-then-dead",
		Story: "A program in the node's own network talks to a pod; a filter on the node drops what goes there.\n" +
			"Somebody removes the filter; but the pod's node is off the network by then.\n" +
			"What waited leaves the host, and nobody acknowledges it: the connection did not recover.",
		Expected:   Expectation{Symptom: flow.LocalDrop, Cause: flow.LocalFilter, Outcome: flow.TimedOut, Error: "ETIMEDOUT"},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		shaken:     true,
		prepare: func(ctx context.Context, l *Lab) error {
			if err := startHostClient(ctx, l); err != nil {
				return err
			}
			return hasten(l.Client, 5)
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			return l.afterAnswer(ctx, func() error { return l.Cluster.DropSent(l.Client.Node.Machine, l.Server.Addr) })
		},
		aftermath: func(_ context.Context, l *Lab) error {
			if err := l.Cluster.Cut(l.Server.Node.Machine); err != nil {
				return err
			}
			return l.Cluster.LetSend(l.Client.Node.Machine, l.Server.Addr)
		},
		checkEnd: func(_ context.Context, l *Lab, f flow.Finding) error { return oneEpisode(l, f.ID, flow.Retransmitting) },
	}
}

// idleClosed is an idle hang that its owner ends.
func idleClosed() Scenario {
	s := halfOpenClient("idle-closed",
		"A client waits for data on a connection to a ClusterIP and never writes; it has no keepalive.\n"+
			"The server's node is switched off, and the API deletes its pod; then the client's process is ended.\n"+
			"Its FIN gets no answer: the connection was closed by its owner, and its peer was not back.",
		Expectation{Symptom: flow.HalfOpen, Cause: flow.StaleConntrack, Outcome: flow.Closed})
	s.aftermath = func(_ context.Context, l *Lab) error { return l.Client.Echo.Signal(syscall.SIGKILL) }
	s.checkEnd = func(_ context.Context, l *Lab, f flow.Finding) error { return neverRecovered(l, f.ID) }
	return s
}

// readOn continues the server's process.
func readOn(l *Lab) error {
	l.Timeline.Add("the consumer's process goes on")
	return l.Server.Echo.Signal(syscall.SIGCONT)
}

// oneEpisode demands that a flow was stuck from its first report to its end, and
// that its symptom became another one meanwhile.
func oneEpisode(l *Lab, id flow.ID, became flow.Symptom) error {
	revised := l.Events(func(e flow.Event) bool {
		return e.Type == flow.EventRevised && e.Flow != nil && e.Flow.ID == id && e.Flow.Symptom == became
	})
	if len(revised) == 0 {
		return fmt.Errorf("it was never judged %s", became)
	}
	stuck := l.Events(func(e flow.Event) bool { return e.Type == flow.EventStuck && e.Flow != nil && e.Flow.ID == id })
	if len(stuck) != 1 {
		return fmt.Errorf("it was reported as stuck %d times", len(stuck))
	}
	return neverRecovered(l, id)
}

func neverRecovered(l *Lab, id flow.ID) error {
	recovered := l.Events(func(e flow.Event) bool { return e.Type == flow.EventRecovered && e.Flow != nil && e.Flow.ID == id })
	if len(recovered) > 0 {
		return errors.New("it was said to have recovered")
	}
	return nil
}
