package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reported is an event as the agent wrote it, and when.
type reported struct {
	arrived time.Time
	Type    string `json:"type"`
	Flow    *struct {
		ID    string    `json:"id"`
		Since time.Time `json:"since"` // the kernel's own stamp, to the millisecond
		Local struct {
			Address string `json:"address"`
			Port    int    `json:"port"`
		} `json:"local"`
		Peer struct {
			Address string `json:"address"`
			Port    int    `json:"port"`
		} `json:"peer"`
		Cause string `json:"cause"`
	} `json:"flow"`
}

// eventPipe is a pipe in the place of the agent's file of events: a line is here
// the moment it is written.
type eventPipe struct {
	path string
	file *os.File

	mu  sync.Mutex
	all []reported
	err error
}

const pipeBytes = 1 << 20

func newEventPipe(path string) (*eventPipe, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("make event pipe: %w", err)
	}
	// For writing, too: it never ends. Not blocking: close ends the reading.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open event pipe: %w", err)
	}
	file := os.NewFile(uintptr(fd), path)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeBytes); err != nil {
		return nil, errors.Join(fmt.Errorf("enlarge event pipe: %w", err), file.Close())
	}
	e := &eventPipe{path: path, file: file}
	type line struct {
		at   time.Time
		text []byte
	}
	// Lines are read at once and decoded later: a storm brings a hundred
	// thousand.
	lines := make(chan line, 1<<18)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(file, pipeBytes)
		for {
			text, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			lines <- line{time.Now(), text}
		}
	}()
	go func() {
		for l := range lines {
			t := reported{arrived: l.at}
			err := json.Unmarshal(l.text, &t)
			e.mu.Lock()
			e.all, e.err = append(e.all, t), errors.Join(e.err, err)
			e.mu.Unlock()
		}
	}()
	return e, nil
}

func (e *eventPipe) close() { _ = e.file.Close() }

// remove closes and removes the pipe.
func (e *eventPipe) remove() error {
	e.close()
	return os.Remove(e.path)
}

// where returns the events so far that are of a type and about flows that
// match, in the order in which they came.
func (e *eventPipe) where(typ string, match func(reported) bool) ([]reported, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []reported
	for _, t := range e.all {
		if t.Type == typ && t.Flow != nil && match(t) {
			found = append(found, t)
		}
	}
	return found, e.err
}

// await waits until so many flows that match had an event of a type, and
// returns the first one of each. When ctx ends it returns those that came.
func (e *eventPipe) await(ctx context.Context, n int, typ string, match func(reported) bool) ([]reported, error) {
	for {
		found, err := e.where(typ, match)
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		found = slices.DeleteFunc(found, func(t reported) bool {
			before := seen[t.Flow.ID]
			seen[t.Flow.ID] = true
			return before
		})
		if len(found) >= n || pause(ctx, 50*time.Millisecond) != nil {
			return found, nil //nolint:nilerr // the caller sees that they are too few
		}
	}
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// quantile returns the value below which a share of them lies.
func quantile[V cmp.Ordered](values []V, share float64) V {
	if len(values) == 0 {
		return *new(V)
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
