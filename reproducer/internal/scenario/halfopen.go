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

// idleHalfOpen is a hang without a single packet.
func idleHalfOpen() Scenario {
	s := halfOpenClient("idle-half-open",
		"A client waits for data on a connection to a ClusterIP and never writes; it has no keepalive.\n"+
			"The server's node is switched off, and the API deletes its pod.\n"+
			"Nothing is retransmitted, because nothing is outstanding: the client waits for ever.",
		Expectation{Symptom: flow.HalfOpen, Cause: flow.StaleConntrack})
	judgeRisk := s.check
	s.check = func(l *Lab, f flow.Finding) error {
		if !f.GivesUp.Never {
			return fmt.Errorf("the kernel never gives up, and the agent says %+v", f.GivesUp)
		}
		return judgeRisk(l, f)
	}
	return s
}

// keepalive is the same with the setting that ends it.
func keepalive() Scenario {
	s := halfOpenClient("keepalive",
		"A client waits for data on a connection to a ClusterIP and never writes; it probes after 3 s of silence.\n"+
			"The server's node is switched off, and the API deletes its pod.\n"+
			"Three probes get no answer, then the kernel gives up: after 12 s, as predicted.",
		Expectation{Symptom: flow.HalfOpen, Cause: flow.StaleConntrack, Outcome: flow.TimedOut, Error: "ETIMEDOUT"},
		"--keepalive", "3s")
	return s
}

// halfOpenClient is a client that only reads from a server whose node is
// switched off and whose pod is deleted.
func halfOpenClient(name, story string, expected Expectation, clientArgs ...string) Scenario {
	var deleted time.Time
	return Scenario{
		Name: name, Story: story, Expected: expected,
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) error {
			return l.startPair(ctx, false, append(clientArgs, "--idle")...)
		},
		fault: func(_ context.Context, l *Lab) (time.Time, error) {
			if err := l.Cluster.Cut(l.Server.Node.Machine); err != nil {
				return time.Time{}, err
			}
			removal, err := l.Cluster.ForceDelete(l.Server)
			deleted = removal.Object
			return deleted, err
		},
		check: func(l *Lab, f flow.Finding) error {
			if err := atRiskSoon(l, f.ID, deleted); err != nil {
				return err
			}
			return nothingSent(l, l.Client, f)
		},
	}
}

// halfOpenDownstream is idleHalfOpen seen from the other end.
func halfOpenDownstream() Scenario {
	var deleted time.Time
	return Scenario{
		Name: "half-open-downstream",
		Story: "A server holds an accepted connection whose client, a pod on another node, only listens.\n" +
			"The client's node is switched off, and the API deletes its pod.\n" +
			"The server has nothing to send: it holds the connection, and what it costs, for ever.",
		Expected:   Expectation{Symptom: flow.HalfOpen, Cause: flow.PeerDeleted},
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			if l.Server, err = l.Cluster.StartPod(ctx, serverBeside()); err != nil {
				return err
			}
			client := cluster.PodSpec{Workload: "client", Node: "node-b", Args: []string{"client", "--idle", "--server", l.Server.Address()}}
			if l.Client, err = l.Cluster.StartPod(ctx, client); err != nil {
				return err
			}
			_, err = l.Server.Echo.AwaitKind(ctx, 1, record.Accepted)
			return err
		},
		fault: func(_ context.Context, l *Lab) (time.Time, error) {
			if err := l.Cluster.Cut(l.Client.Node.Machine); err != nil {
				return time.Time{}, err
			}
			removal, err := l.Cluster.ForceDelete(l.Client)
			deleted = removal.Object
			return deleted, err
		},
		subject: func(l *Lab, f flow.Finding) error {
			accepted := last(l.Server.Echo.Records(), record.Accepted)
			if f.Local.Addr != accepted.Local || f.Peer.Addr != accepted.Remote {
				return fmt.Errorf("flow %s to %s was reported, the one that hangs is %s to %s", f.Local.Addr, f.Peer.Addr, accepted.Local, accepted.Remote)
			}
			return nil
		},
		check: func(l *Lab, f flow.Finding) error {
			switch {
			case f.Role != flow.Server:
				return fmt.Errorf("the role is %q, not server", f.Role)
			case !f.GivesUp.Never:
				return fmt.Errorf("the kernel never gives up, and the agent says %+v", f.GivesUp)
			case len(f.Advice) == 0:
				return errors.New("there is no advice for the listener")
			}
			if err := atRiskSoon(l, f.ID, deleted); err != nil {
				return err
			}
			return nothingSent(l, l.Server, f)
		},
	}
}

// atRiskSoon demands that the flow was reported as at risk within 2 s of its peer's
// deletion.
func atRiskSoon(l *Lab, id flow.ID, deleted time.Time) error {
	const soon = 2 * time.Second
	said := l.Events(func(e flow.Event) bool { return e.Type == flow.EventAtRisk && e.Flow != nil && e.Flow.ID == id })
	if len(said) == 0 {
		return errors.New("it was never said to be at risk")
	}
	late := said[0].Time.Sub(deleted)
	if late > soon {
		return fmt.Errorf("it was said to be at risk only %s after the deletion", late)
	}
	l.Timeline.Add("it was said to be at risk %.2f s after the deletion", late.Seconds())
	return nil
}

// nothingSent demands that the flow's socket has retransmitted nothing and
// holds nothing.
func nothingSent(l *Lab, p *cluster.Pod, f flow.Finding) error {
	s, found, err := p.Socket(f.Local.Addr)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("socket %s is gone", f.Local.Addr)
	case s.State != flow.Established || s.Retransmitted > 0 || s.Unacknowledged > 0:
		return fmt.Errorf("the socket is no idle one: %+v", s)
	}
	l.Timeline.Add("its socket is %s, has retransmitted nothing and has nothing to send", s.State)
	return nil
}
