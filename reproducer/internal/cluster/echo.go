package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// Echo is a running echo program and what it recorded.
type Echo struct {
	*namespace.Process
	name string
	log  string

	mu      sync.Mutex
	records []record.Record
	changed chan struct{} // closed at each record
}

// startEcho runs the echo program in a namespace. The first of args is its
// command.
func (c *Cluster) startEcho(name string, ns *namespace.Namespace, family Family, args []string) (*Echo, error) {
	e := &Echo{name: name, log: filepath.Join(c.dir, name+".log"), changed: make(chan struct{})}
	log, err := os.OpenFile(e.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	args = append(slices.Clone(args), "--family", string(family), "--record", namespace.RecordFile)
	e.Process, err = ns.Start(namespace.Command{Path: c.echo, Args: args, Log: log, Record: e.collect})
	if err != nil {
		return nil, err
	}
	c.echoes = append(c.echoes, e)
	return e, nil
}

func (e *Echo) collect(r io.Reader) {
	// A program that is killed in the middle of a record ends the reading.
	_ = record.ReadAll(r, func(rec record.Record) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.records = append(e.records, rec)
		close(e.changed)
		e.changed = make(chan struct{})
	})
}

// Records returns what was recorded so far.
func (e *Echo) Records() []record.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.records)
}

// Await waits until enough records match and returns the last of them.
func (e *Echo) Await(ctx context.Context, enough int, what string, match func(record.Record) bool) (record.Record, error) {
	for {
		e.mu.Lock()
		found, changed := e.nth(enough, match), e.changed
		e.mu.Unlock()
		if found != nil {
			return *found, nil
		}
		select {
		case <-changed:
		case <-e.Done():
			return record.Record{}, fmt.Errorf("%s ended before it was seen %s: %w\n%s", e.name, what, e.Err(), e.Log())
		case <-ctx.Done():
			return record.Record{}, fmt.Errorf("%s was not seen %s: %w\n%s", e.name, what, ctx.Err(), e.Log())
		}
	}
}

func (e *Echo) nth(n int, match func(record.Record) bool) *record.Record {
	for _, r := range e.records {
		if !match(r) {
			continue
		}
		if n--; n == 0 {
			return &r
		}
	}
	return nil
}

// AwaitKind waits for the nth record of a kind.
func (e *Echo) AwaitKind(ctx context.Context, n int, kind record.Kind) (record.Record, error) {
	return e.Await(ctx, n, string(kind), func(r record.Record) bool { return r.Kind == kind })
}

// Log returns the lines that the program logged, without the last newline.
func (e *Echo) Log() string {
	b, err := os.ReadFile(e.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimRight(string(b), "\n")
}
