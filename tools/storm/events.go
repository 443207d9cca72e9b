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
// the moment it is written. Lines are read at once and decoded when they are asked
// for: a storm brings a hundred thousand, and to decode them takes a core from the
// agent that is measured.
type eventPipe struct {
	path string
	file *os.File

	mu    sync.Mutex
	lines []line // that have come since the last look

	decoding sync.Mutex
	all      []reported
	err      error
}

type line struct {
	at   time.Time
	text []byte
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
	go e.read()
	return e, nil
}

func (e *eventPipe) read() {
	in := bufio.NewReaderSize(e.file, pipeBytes)
	for {
		text, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		e.mu.Lock()
		e.lines = append(e.lines, line{time.Now(), text})
		e.mu.Unlock()
	}
}

// decode decodes the lines that have come, while others come. The caller holds
// decoding.
func (e *eventPipe) decode() {
	e.mu.Lock()
	lines := e.lines
	e.lines = nil
	e.mu.Unlock()
	for _, l := range lines {
		t := reported{arrived: l.at}
		e.err = errors.Join(e.err, json.Unmarshal(l.text, &t))
		e.all = append(e.all, t)
	}
}

// rests reports whether no line has come for so long.
func (e *eventPipe) rests(long time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.lines) == 0 || time.Since(e.lines[len(e.lines)-1].at) >= long
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
	e.decoding.Lock()
	defer e.decoding.Unlock()
	e.decode()
	var found []reported
	for _, t := range e.all {
		if t.Type == typ && t.Flow != nil && match(t) {
			found = append(found, t)
		}
	}
	return found, e.err
}

// await waits until so many flows that match had an event of a type, and
// returns the first one of each. When ctx ends it returns those that came. It looks
// only while no line comes.
func (e *eventPipe) await(ctx context.Context, n int, typ string, match func(reported) bool) ([]reported, error) {
	for {
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
		ended := ctx.Err() != nil
		if !ended && !e.rests(poll) {
			continue
		}
		found, err := e.where(typ, match)
		found = firstOfEach(found)
		if err != nil || len(found) >= n || ended {
			return found, err // at the end of ctx, the caller sees that they are too few
		}
	}
}

// firstOfEach returns the first event of each flow.
func firstOfEach(events []reported) []reported {
	seen := map[string]bool{}
	return slices.DeleteFunc(events, func(t reported) bool {
		before := seen[t.Flow.ID]
		seen[t.Flow.ID] = true
		return before
	})
}

// poll is how often await looks.
const poll = 50 * time.Millisecond

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
