package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// deafPipe: an event file that is a pipe costs events, never a finding, and
// no shutdown.
func deafPipe() Fault {
	return Fault{
		Name:  "deaf-pipe",
		Story: "the event file is a pipe: first nobody opens it, then somebody does and never reads",
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			path := filepath.Join(l.dir.Path, "pipe")
			if err := unix.Mkfifo(path, 0o600); err != nil {
				return fmt.Errorf("make pipe: %w", err)
			}
			for _, reader := range []bool{false, true} {
				if err := l.playPipe(ctx, o, path, reader); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (l *Lab) playPipe(ctx context.Context, o *Outcome, path string, reader bool) (err error) {
	said := "nobody opens it"
	if reader {
		said = "nobody reads"
		file, openErr := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if openErr != nil {
			return openErr
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	a, err := l.startReady(ctx, agentSpec{name: "pipe", events: path})
	if err != nil {
		o.lose("%v", err)
		return nil
	}
	o.inject(1)
	if err := l.found(ctx, a); err != nil {
		o.lose("%v", err)
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
