package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// phase is a moment in an agent's life.
type phase struct {
	name  string
	early bool // it may not have begun: the signal itself may end it
	await func(context.Context, *Lab, *agent) error
}

func phases() []phase {
	ready := func(ctx context.Context, _ *Lab, a *agent) error { return a.awaitReady(ctx) }
	return []phase{
		{name: "at once", early: true, await: func(context.Context, *Lab, *agent) error { return nil }},
		{name: "loading", await: holds("bpf-map")},
		{name: "attaching", await: holds("bpf_link")},
		{name: "listening", await: func(ctx context.Context, _ *Lab, a *agent) error {
			return await(ctx, func() (bool, error) {
				_, err := os.Lstat(a.socket)
				return err == nil, a.living()
			})
		}},
		{name: "ready", await: ready},
		{name: "in the storm", await: func(ctx context.Context, _ *Lab, a *agent) error {
			if err := a.awaitReady(ctx); err != nil {
				return err
			}
			return pause(ctx, time.Duration(rand.IntN(6000))*time.Millisecond) // sometimes in a file scan or a snapshot
		}},
		{name: "in a dump that nobody reads", await: func(ctx context.Context, _ *Lab, a *agent) error {
			if err := a.awaitReady(ctx); err != nil {
				return err
			}
			conn, err := a.ns.Dial(ctx, "unix", a.socket)
			if err != nil {
				return err
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			_, err = fmt.Fprint(conn, "GET /v1/flows HTTP/1.1\r\nHost: localhost\r\n\r\n")
			return err
		}},
		{name: "while it shuts down", await: func(ctx context.Context, _ *Lab, a *agent) error {
			if err := a.awaitReady(ctx); err != nil {
				return err
			}
			return a.Signal(syscall.SIGTERM) // and another follows
		}},
	}
}

// sigterm: the agent ends well in every phase of its life.
func sigterm() Fault {
	return Fault{
		Name:  "sigterm",
		Story: "SIGTERM in every phase of an agent's life",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			var said []string
			for _, p := range phases() {
				took, err := terminateIn(ctx, l, o, p)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				said = append(said, fmt.Sprintf("%s %.1f s", p.name, took.Seconds()))
			}
			o.see("ended, its socket removed: %s", strings.Join(said, ", "))
			return nil
		},
	}
}

func terminateIn(ctx context.Context, l *Lab, o *Outcome, p phase) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a, err := l.start(agentSpec{name: "ending"})
	if err != nil {
		return 0, err
	}
	if err := p.await(ctx, l, a); err != nil {
		return 0, err
	}
	o.inject(1)
	took, err := a.terminate()
	if err != nil && (!p.early || a.Err() == nil || a.Err().Error() != "signal: terminated") {
		o.lose("%s: %v", p.name, err)
	}
	return took, nil
}

// holds waits until a process has a descriptor of a kind.
func holds(kind string) func(context.Context, *Lab, *agent) error {
	return func(ctx context.Context, _ *Lab, a *agent) error {
		return await(ctx, func() (bool, error) {
			links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", a.PID()))
			if err != nil {
				return false, err
			}
			for _, link := range links {
				if target, err := os.Readlink(link); err == nil && strings.Contains(target, kind) {
					return true, nil
				}
			}
			return false, a.living()
		})
	}
}
