package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// deafPipe: an event file that is a pipe costs events, never a finding, and delays no
// shutdown.
func deafPipe() Fault {
	return Fault{
		Name:  "deaf-pipe",
		Story: "the event file is a pipe: nobody opens it; somebody does and never reads; and leaves",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			path := filepath.Join(l.dir.Path, "pipe")
			if err := unix.Mkfifo(path, 0o600); err != nil {
				return fmt.Errorf("make pipe: %w", err)
			}
			if err := unopenedPipe(l, o, path); err != nil {
				return err
			}
			for _, leaves := range []bool{false, true} {
				if err := unreadPipe(ctx, l, o, path, leaves); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// unopenedPipe: an agent whose event pipe has no reader says so, and does not
// start.
func unopenedPipe(l *Lab, o *Outcome, path string) error {
	a, err := l.start(agentSpec{name: "pipe", events: path})
	if err != nil {
		return err
	}
	o.inject(1)
	select {
	case <-a.Done():
	case <-time.After(grace):
		o.lose("an agent waits for somebody to open its pipe")
		return a.Kill()
	}
	if said := a.tail(); !strings.Contains(said, "a pipe without a reader") {
		o.lose("on a pipe that nobody opens it ended with %v: %s", a.Err(), said)
		return nil
	}
	o.see("nobody opens it: the agent ends and says so")
	return nil
}

func unreadPipe(ctx context.Context, l *Lab, o *Outcome, path string, leaves bool) (err error) {
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open pipe: %w", err)
	}
	defer func() {
		if closed := reader.Close(); !errors.Is(closed, os.ErrClosed) {
			err = errors.Join(err, closed)
		}
	}()
	a, err := l.startReady(ctx, agentSpec{name: "pipe", events: path})
	if err != nil {
		return err
	}
	o.inject(1)
	said := "nobody reads"
	if leaves {
		said = "its reader leaves"
		if err := reader.Close(); err != nil {
			return err
		}
	}
	if err := l.truth.found(ctx, a); err != nil {
		o.lose("%s: %v", said, err)
	}
	dropped, err := a.dropped(ctx)
	if err != nil {
		return err
	}
	took, err := a.terminate()
	if err != nil {
		o.lose("%s: %v", said, err)
	}
	o.see("%s: %d flows listed, %.0f events dropped and counted so far, exit 0 %.1f s after SIGTERM", said, l.truth.len(), dropped, took.Seconds())
	return nil
}
