package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// restarts: however often an agent is restarted, it finds what hangs, and leaves
// nothing behind.
func restarts() Fault {
	const (
		times = 50
		stuck = 200
		most  = time.Minute
	)
	return Fault{
		Name:  "restarts",
		Story: fmt.Sprintf("an agent among %d connections that hang is restarted %d times in a minute, ended by SIGKILL and by SIGTERM in turn", stuck, times),
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			conns, err := l.calm(ctx, l.doomed.NS, stuck)
			if err != nil {
				return err
			}
			defer l.calmDown(conns)
			if err := l.hang(conns); err != nil {
				return err
			}
			here := newTruth() // what this agent sees
			here.hang(conns...)
			spec := agentSpec{name: "restarted", scope: []string{l.doomed.NS.Path()}}
			began := time.Now()
			var slowest time.Duration
			for n := range times {
				took, err := restartOnce(ctx, l, o, here, spec, n%2 == 0)
				if err != nil {
					return fmt.Errorf("start %d: %w", n+1, err)
				}
				o.inject(1)
				slowest = max(slowest, took)
			}
			all := time.Since(began)
			o.see("%d lives in %.0f s; each agent listed all %d flows, the slowest %.2f s after its start", times, all.Seconds(), stuck, slowest.Seconds())
			if all > most {
				o.lose("%d lives took %.0f s", times, all.Seconds())
			}
			return leftovers(l, o, spec)
		},
	}
}

// restartOnce starts an agent, demands that it finds what hangs, and ends it. It
// returns the time from the start until everything was listed.
func restartOnce(ctx context.Context, l *Lab, o *Outcome, here *truth, spec agentSpec, kill bool) (time.Duration, error) {
	began := time.Now()
	a, err := l.startReady(ctx, spec)
	if err != nil {
		return 0, err
	}
	if err := here.found(ctx, a); err != nil {
		o.lose("%v", err)
	}
	took := time.Since(began)
	if kill {
		return took, a.Kill()
	}
	if _, err := a.terminate(); err != nil {
		o.lose("%v", err)
	}
	return took, nil
}

// leftovers demands that the agents, the last of which ended by SIGTERM, have
// left their log and their events, and nothing else.
func leftovers(l *Lab, o *Outcome, spec agentSpec) error {
	left, err := filepath.Glob(filepath.Join(l.dir.Path, spec.name+"*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if ext := filepath.Ext(path); ext != ".log" && ext != ".events" {
			o.lose("%s is left behind", path)
		}
	}
	return nil
}
