package chaos

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// restarts: however often the agent is started anew, it finds what hangs, and
// leaves nothing behind.
func restarts() Fault {
	const (
		times  = 50
		minute = time.Minute
	)
	return Fault{
		Name:  "restarts",
		Story: fmt.Sprintf("%d restarts in a minute, by SIGKILL and by SIGTERM in turn; each agent lives until it is ready, every fifth until it has been asked", times),
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			before, err := l.files()
			if err != nil {
				return err
			}
			began := time.Now()
			var slowest time.Duration
			for n := range times {
				if err := l.end(n%2 == 0); err != nil {
					o.lose("restart %d: %v", n+1, err)
				}
				o.inject(1)
				started := time.Now()
				if l.agent, err = l.startReady(ctx, l.agent.spec); err != nil {
					return fmt.Errorf("restart %d: %w", n+1, err)
				}
				slowest = max(slowest, time.Since(started))
				if n%5 == 4 {
					if err := l.found(ctx, l.agent); err != nil {
						o.lose("restart %d: %v", n+1, err)
					}
				}
			}
			took := time.Since(began)
			after, err := l.files()
			if err != nil {
				return err
			}
			for _, name := range after {
				if !slices.Contains(before, name) {
					o.lose("%s is left behind", name)
				}
			}
			said, err := l.honestCounters(ctx, l.truth.len())
			if err != nil {
				o.lose("%v", err)
			}
			o.see("%d starts in %.0f s, the slowest was ready after %.2f s; the last agent has all %d flows; %s", times, took.Seconds(), slowest.Seconds(), l.truth.len(), said)
			if took > minute {
				o.lose("%d restarts took %.0f s", times, took.Seconds())
			}
			return nil
		},
	}
}

// end ends the agent, at once or as it is asked to.
func (l *Lab) end(kill bool) error {
	if kill {
		return l.agent.Kill()
	}
	_, err := l.agent.terminate()
	return err
}

// files returns the names of what is in the run's directory.
func (l *Lab) files() ([]string, error) {
	entries, err := os.ReadDir(l.dir.Path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}
