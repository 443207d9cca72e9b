package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// report is what an agent's events say of one flow, and when this program read it.
type report struct {
	stuck     time.Time // the first time that it was reported
	recovered time.Time
	relapsed  bool       // it was reported again after that
	cause     flow.Cause // of the last event
}

// reports follows the event file of an agent. It is safe for concurrent use.
type reports struct {
	path string

	mu     sync.Mutex
	offset int64 // of the first line that was not read yet
	flows  map[flow.ID]report
	err    error
}

func newReports(path string) *reports {
	return &reports{path: path, flows: map[flow.ID]report{}}
}

// follow reads what is written until ctx ends.
func (r *reports) follow(ctx context.Context) {
	for pause(ctx, lookInterval) == nil {
		if err := r.read(time.Now()); err != nil {
			r.mu.Lock()
			r.err = err
			r.mu.Unlock()
			return
		}
	}
}

// read takes the complete lines that were written since the last time.
func (r *reports) read(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := os.Open(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it comes with the first event
	}
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(r.offset, io.SeekStart); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	for lines := bufio.NewReaderSize(file, 1<<20); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line that is still being written is read next time
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		r.offset += int64(len(line))
		if err := r.take(line, now); err != nil {
			return err
		}
	}
}

func (r *reports) take(line []byte, now time.Time) error {
	var e toldEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("read event %.100q: %w", line, err)
	}
	if e.Flow == nil {
		return nil
	}
	id, err := flow.ParseID(e.Flow.ID)
	if err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	f := r.flows[id]
	switch e.Type {
	case flow.EventStuck:
		if f.stuck.IsZero() {
			f.stuck = now
		}
		f.relapsed = f.relapsed || isRecovered(f)
	case flow.EventRecovered:
		f.recovered = now
	}
	f.cause = e.Flow.Cause
	r.flows[id] = f
	return nil
}

// of returns what was reported of a connection; the zero report: nothing.
func (r *reports) of(c *conn) report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flows[c.id]
}

// count returns how many connections have reports that match. Its error is one of reading.
func (r *reports) count(conns []*conn, match func(report) bool) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, c := range conns {
		if match(r.flows[c.id]) {
			n++
		}
	}
	return n, r.err
}

func isReported(r report) bool  { return !r.stuck.IsZero() }
func isRecovered(r report) bool { return !r.recovered.IsZero() }
