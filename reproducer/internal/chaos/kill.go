package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// kill: every stuck flow is found again, as old as it was.
func kill() Fault {
	const fresh = 500
	return Fault{
		Name:  "kill",
		Story: "SIGKILL in the middle of a storm, while more connections begin to hang, and a restart",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			more, err := l.calm(ctx, l.client.NS, fresh)
			if err != nil {
				return err
			}
			for round := range 3 {
				before, err := findings(ctx, l.agent)
				if err != nil {
					return err
				}
				if round == 1 { // they hang, and the agent has no time to report it
					if err := l.hang(more); err != nil {
						return err
					}
					if err := pause(ctx, 300*time.Millisecond); err != nil {
						return err
					}
				}
				if err := killOnce(ctx, l, o, before); err != nil {
					return err
				}
			}
			l.calmDown(more)
			return nil
		},
	}
}

func killOnce(ctx context.Context, l *Lab, o *Outcome, before map[flow.ID]flow.Finding) error {
	if err := l.agent.Kill(); err != nil {
		return err
	}
	o.inject(1)
	began := time.Now()
	restarted, err := l.startReady(ctx, l.agent.spec)
	if err != nil {
		return err
	}
	l.agent = restarted
	if err := l.truth.found(ctx, l.agent); err != nil {
		o.lose("%v", err)
		return nil
	}
	took := time.Since(began)
	after, err := findings(ctx, l.agent)
	if err != nil {
		return err
	}
	moved, aged := 0, time.Duration(0)
	for id, f := range after {
		was, ok := before[id]
		if !ok || was.Symptom != f.Symptom {
			continue // it was idle then, and was written to since
		}
		d := f.Since.Sub(was.Since).Abs()
		aged = max(aged, d)
		if d > time.Second {
			moved++
		}
	}
	if moved > 0 {
		o.lose("the age of %d flows moved by more than a second, at most by %v", moved, aged)
	}
	said, err := honestCounters(ctx, l, len(after))
	if err != nil {
		o.lose("%v", err)
	}
	o.see("%d of %d found again %.1f s after the start, ages within %d ms; %s", len(after), l.truth.len(), took.Seconds(), aged.Milliseconds(), said)
	return nil
}

// honestCounters demands that a restarted agent has counted what it found, and no end.
func honestCounters(ctx context.Context, l *Lab, held int) (string, error) {
	m, err := l.agent.metrics(ctx)
	if err != nil {
		return "", err
	}
	found, _ := m.Sum("tcpstuck_flows_found_total")
	ended, _ := m.Sum("tcpstuck_flows_ended_total")
	lost, _ := m.Sum("tcpstuck_lossy_closes_total")
	said := fmt.Sprintf("counted: %.0f found, %.0f ended, %.0f lossy closes", found, ended, lost)
	if ended != 0 || lost != 0 || int(found) != held {
		return said, fmt.Errorf("counters of a restarted agent that holds %d flows: %s", held, said)
	}
	return said, nil
}
