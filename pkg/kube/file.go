package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

const (
	// settle is how long the agent waits after a change before it reads the
	// file: a program that rewrites a file in place writes several times.
	settle = 50 * time.Millisecond
	// readInterval is the least time between two readings.
	readInterval = 100 * time.Millisecond
	// readPause is the least time between the starts of two readings, in units
	// of the time that the first one took. So a large file that changes all the
	// time takes a fifth of a core.
	readPause = 5
	// lookInterval is how often the file is checked without an event: its
	// folder may have been replaced, and some file systems send no events.
	lookInterval = 5 * time.Second
)

// folders says which folders are watched, as a fsnotify.Watcher does.
type folders interface {
	Add(folder string) error
	Remove(folder string) error
	WatchList() []string
	Close() error
}

// File is the cluster's state in a file, in the form that Decode reads. A
// reading that fails keeps the last records, and says so in the state's health.
// A file that does not change is not out of date. Text that does not prove its
// end counts once it has stayed the same for settleTime.
type File struct {
	path    string
	state   *cluster.State
	log     *slog.Logger
	watcher folders
	events  <-chan fsnotify.Event
	errors  <-chan error // events were lost
	parse   func([]byte) (cluster.Objects, error)

	// Of the last reading.
	target string      // path without symbolic links
	info   os.FileInfo // nil: it could not be read
	at     time.Time
	took   time.Duration
	broken bool

	unfinished unfinished // text that does not count yet
}

// OpenFile reads the file into state and watches its folder. Run follows the
// changes of the file, and reads text that does not prove its end. Close, or
// the end of Run, releases the watch. If ctx ends before the file is read,
// OpenFile returns that error.
func OpenFile(ctx context.Context, path string, state *cluster.State, log *slog.Logger) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find cluster state: %w", err)
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch cluster state: %w", err)
	}
	f := &File{
		path: path, state: state, log: log, watcher: watcher,
		events: watcher.Events, errors: watcher.Errors, parse: Decode,
	}
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(err, watcher.Close())
	}
	return f, nil
}

func (f *File) open(ctx context.Context) error {
	if err := f.watch(); err != nil { // before the reading, so that no change is missed
		return err
	}
	if err := f.read(ctx); !errors.Is(err, errUnfinished) {
		return err
	}
	return nil // Run reads the file again
}

// Close releases the watch of a File that is not run.
func (f *File) Close() error { return f.watcher.Close() }

// Run reads the file whenever it changes, until ctx ends.
func (f *File) Run(ctx context.Context) error {
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	var due <-chan time.Time // when the next reading is due
	again := f.unfinished.again()
	for {
		changed := false
		select {
		case <-ctx.Done():
			return f.watcher.Close()
		case event, ok := <-f.events:
			if !ok {
				return errors.New("watch cluster state: closed")
			}
			changed = event.Name == f.path || event.Name == f.target || f.moved()
		case err := <-f.errors:
			f.log.Debug("watch cluster state", "file", f.path, "err", err)
			changed = true
		case <-look.C:
			if err := f.watch(); err != nil {
				f.log.Debug("watch cluster state", "file", f.path, "err", err)
			}
			changed = f.moved()
		case <-due:
			due = nil
			f.follow(ctx)
			again = f.unfinished.again()
		case <-again:
			again, changed = nil, true
		}
		if changed && due == nil {
			due = time.After(max(settle, time.Until(f.at.Add(max(readInterval, readPause*f.took)))))
		}
	}
}

// follow reads the file again.
func (f *File) follow(ctx context.Context) {
	err := f.read(ctx)
	if ctx.Err() != nil {
		return // the error says nothing of the file
	}
	if !errors.Is(err, errUnfinished) || f.at.Sub(f.unfinished.first) > maxUnsettled {
		f.report(err)
	}
	if err := f.watch(); err != nil && !f.broken {
		f.log.Debug("watch cluster state", "file", f.path, "err", err)
	}
}

// report records how the reading ended, and logs each turn once.
func (f *File) report(err error) {
	switch {
	case err == nil && f.broken:
		f.log.Info("cluster state is readable again", "file", f.path)
	case err != nil:
		f.state.SetHealth(false, err.Error(), f.at)
		if !f.broken {
			f.log.Warn("cluster state is unreadable: what was known is kept", "file", f.path, "err", err)
		}
	}
	f.broken = err != nil
}

// watch watches the folder of the path, and if symbolic links lead elsewhere,
// the folder of the file. It watches folders because files are replaced.
func (f *File) watch() error {
	wanted := []string{filepath.Dir(f.path)}
	if target, err := filepath.EvalSymlinks(f.path); err == nil {
		f.target = target
		wanted = append(wanted, filepath.Dir(target))
	}
	for _, old := range f.watcher.WatchList() {
		if !slices.Contains(wanted, old) {
			_ = f.watcher.Remove(old) // fails if the folder was removed
		}
	}
	for _, folder := range wanted {
		if err := f.watcher.Add(folder); err != nil {
			return fmt.Errorf("watch cluster state: %s: %w", folder, err)
		}
	}
	return nil
}
