package events

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Sink takes events one at a time, from one goroutine, and may block.
type Sink interface {
	Write(flow.Event) error
	Close() error
}

// queue stands between a publisher that must not wait and a sink that may.
type queue struct {
	name    string
	sink    Sink
	log     *slog.Logger
	dropped atomic.Uint64

	mu     sync.Mutex // guards closed and line
	closed bool
	line   *line
	comes  *sync.Cond // an event is in line, or none will come any more

	done chan struct{}
	err  error // of closing the sink; read after done
}

func newQueue(name string, s Sink, length int, log *slog.Logger) *queue {
	q := &queue{
		name: name, sink: s, log: log.With("sink", name),
		line: newLine(length), done: make(chan struct{}),
	}
	q.comes = sync.NewCond(&q.mu)
	go q.run()
	return q
}

func (q *queue) publish(ev flow.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.dropped.Add(1)
		return
	}
	if q.line.add(ev) {
		q.dropped.Add(1)
	}
	q.comes.Signal()
}

// next waits for the first event in line; false: there will be none any more.
func (q *queue) next() (flow.Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.line.len() == 0 {
		if q.closed {
			return flow.Event{}, false
		}
		q.comes.Wait()
	}
	return q.line.take(), true
}

// run writes until the queue is stopped and empty. It logs once that a sink fails,
// and once more that it works again.
func (q *queue) run() {
	defer close(q.done)
	failing := false
	for ev, ok := q.next(); ok; ev, ok = q.next() {
		err := q.sink.Write(ev)
		if err != nil {
			q.dropped.Add(1)
		}
		switch {
		case err != nil && !failing:
			failing = true
			q.log.Error("Events are lost until this sink heals", "err", err)
		case err == nil && failing && q.healed():
			failing = false
			q.log.Info("The sink takes events again", "dropped", q.dropped.Load())
		}
	}
	q.err = q.sink.Close()
}

// healed reports whether the last write succeeded. A sink that takes an event and
// writes it later, or never, reports that itself.
func (q *queue) healed() bool {
	s, ok := q.sink.(interface{ Failing() bool })
	return !ok || !s.Failing()
}

func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.comes.Signal()
}

func (q *queue) wait(ctx context.Context) error {
	select {
	case <-q.done:
	case <-ctx.Done():
		return fmt.Errorf("flush sink %s: %d events are left: %w", q.name, q.left(), ctx.Err())
	}
	if q.err != nil {
		return fmt.Errorf("close sink %s: %w", q.name, q.err)
	}
	return nil
}

func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.line.len()
}
