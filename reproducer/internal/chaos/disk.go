package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

// diskFull: a full disk costs events, which are counted, and leaves no torn line.
func diskFull() Fault {
	const fresh = 100
	return Fault{
		Name:  "disk-full",
		Story: "the event file's disk (a tmpfs of 1 MiB) is full, then has room again",
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			disk := filepath.Join(l.dir.Path, rundir.NamespaceDir, "disk") // a later run cleans up there after a crash
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
			if err := l.truth.found(ctx, a); err != nil {
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
			written, err := eventsAgain(ctx, l, o, a, fresh)
			if err != nil {
				return err
			}
			if err := l.honest(a); err != nil {
				o.lose("%v", err)
			}
			o.see("%d flows listed, %.0f events dropped and counted; %d of %d are written once there is room", l.truth.len(), dropped, written, fresh)
			if _, err := a.terminate(); err != nil {
				o.lose("%v", err)
			}
			return nil
		},
	}
}

// eventsAgain has more connections hang, waits until the event file has each of
// them, and returns how many it has.
func eventsAgain(ctx context.Context, l *Lab, o *Outcome, a *agent, n int) (written int, err error) {
	conns, err := l.calm(ctx, l.client.NS, n)
	if err != nil {
		return 0, err
	}
	if err := l.hang(conns); err != nil {
		return 0, err
	}
	if err := l.truth.found(ctx, a); err != nil {
		o.lose("%v", err)
	}
	waiting, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	err = await(waiting, func() (bool, error) {
		written, err = toldStuck(a.events, conns)
		return written == n, err
	})
	if err != nil {
		o.lose("%d of %d events are written though there is room again: %v", written, n, err)
	}
	l.calmDown(conns)
	return written, nil
}

// toldStuck counts the connections that an event file reports as stuck. A line
// that is still being written reports none.
func toldStuck(path string, conns []*conn) (int, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // it was moved, and comes back with the next event
	}
	if err != nil {
		return 0, fmt.Errorf("read events: %w", err)
	}
	reported := map[string]bool{}
	for line := range bytes.Lines(content) {
		var e toldEvent
		if json.Unmarshal(line, &e) == nil && e.Flow != nil && e.Type == flow.EventStuck {
			reported[e.Flow.ID] = true
		}
	}
	n := 0
	for _, c := range conns {
		if reported[c.id.String()] {
			n++
		}
	}
	return n, nil
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
