package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

// diskFull: a full disk costs events, counted ones, and leaves no torn line.
func diskFull() Fault {
	const fresh = 100
	return Fault{
		Name:  "disk-full",
		Story: "the event file's disk (a tmpfs of 1 MiB) is full, then has room again",
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			disk := filepath.Join(l.dir.Path, rundir.NamespaceDir, "disk") // where a later run cleans up after a crash
			if err := os.Mkdir(disk, 0o700); err != nil {
				return err
			}
			if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
				return fmt.Errorf("mount a small disk: %w", err)
			}
			defer func() { err = errors.Join(err, unix.Unmount(disk, unix.MNT_DETACH), os.Remove(disk)) }()
			events := filepath.Join(disk, "events")
			a, err := l.startReady(ctx, agentSpec{name: "disk", events: events})
			if err != nil {
				return err
			}
			o.inject(1)
			if err := l.found(ctx, a); err != nil {
				o.lose("%v", err)
			}
			dropped, err := a.dropped(ctx)
			if err != nil {
				return err
			}
			if dropped == 0 {
				o.lose("the disk was not full, or nobody counted")
			}
			if err := os.Rename(events, events+".1"); err != nil { // as log rotation does
				return err
			}
			if err := os.Truncate(events+".1", 0); err != nil {
				return err
			}
			if err := l.eventsAgain(ctx, o, a, fresh); err != nil {
				return err
			}
			if err := l.honest(a); err != nil {
				o.lose("%v", err)
			}
			o.see("%d flows listed, %.0f events dropped and counted; %d are written once there is room, no line is torn", l.truth.len(), dropped, fresh)
			if _, err := a.terminate(); err != nil {
				o.lose("%v", err)
			}
			return nil
		},
	}
}

// eventsAgain has more connections hang, and waits until the event file tells
// of them.
func (l *Lab) eventsAgain(ctx context.Context, o *Outcome, a *agent, n int) error {
	conns, err := l.calm(ctx, l.client.NS, n)
	if err != nil {
		return err
	}
	if err := l.hang(conns); err != nil {
		return err
	}
	if err := l.found(ctx, a); err != nil {
		o.lose("%v", err)
	}
	waiting, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	err = await(waiting, func() (bool, error) {
		info, err := os.Stat(a.events)
		return err == nil && info.Size() > 0, nil
	})
	if err != nil {
		o.lose("no event is written though there is room again")
	}
	l.calmDown(conns)
	return nil
}

// dropped returns how many events the agent says that a sink did not take.
func (a *agent) dropped(ctx context.Context) (float64, error) {
	m, err := a.metrics(ctx)
	if err != nil {
		return 0, err
	}
	n, found := m.Sum("tcpstuck_events_dropped_total")
	if !found {
		return 0, errors.New("the agent does not count dropped events")
	}
	return n, nil
}
