package chaos

import (
	"context"
	"syscall"
	"time"
)

// ring: an agent that does not read loses hints, and no flow.
func ring() Fault {
	const fresh = 4500 // more records than the ring buffer has room for
	return Fault{
		Name:  "ring",
		Story: "the agent is stopped (SIGSTOP) while 4,500 more connections begin to hang, then goes on",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			more, server, err := l.connect(ctx, l.client.NS, fresh)
			if err != nil {
				return err
			}
			if err := l.agent.Signal(syscall.SIGSTOP); err != nil {
				return err
			}
			if _, err := l.cluster.ForceDelete(server); err != nil {
				return err
			}
			o.inject(1)
			if err := l.hang(more); err != nil {
				return err
			}
			if err := pause(ctx, 2*stuckAfter); err != nil {
				return err
			}
			if err := l.agent.Signal(syscall.SIGCONT); err != nil {
				return err
			}
			began := time.Now()
			if err := l.truth.found(ctx, l.agent); err != nil {
				o.lose("%v", err)
			}
			took := time.Since(began)
			m, err := l.agent.metrics(ctx)
			if err != nil {
				return err
			}
			full := m.Value("tcpstuck_records_lost_total", map[string]string{"stage": "ring"})
			resyncs, _ := m.Sum("tcpstuck_resyncs_total")
			o.see("%.0f records found the ring buffer full, %.0f resyncs; all %d flows are listed after %.1f s", full, resyncs, l.truth.len(), took.Seconds())
			if full == 0 || resyncs == 0 {
				o.lose("the ring buffer did not overflow, or nobody made good for it")
			}
			l.calmDown(more)
			return nil
		},
	}
}
