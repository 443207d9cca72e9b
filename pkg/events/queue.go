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

	mu     sync.Mutex // guards closed, and that nothing is sent after it
	closed bool
	events chan flow.Event

	done chan struct{}
	err  error // of closing the sink; read after done
}

func newQueue(name string, s Sink, length int, log *slog.Logger) *queue {
	q := &queue{
		name: name, sink: s, log: log.With("sink", name),
		events: make(chan flow.Event, length), done: make(chan struct{}),
	}
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
	select {
	case q.events <- ev:
	default:
		q.dropped.Add(1)
	}
}

// run writes until the queue is stopped and empty. A sink that fails is
// logged once, and once more when it has healed.
func (q *queue) run() {
	defer close(q.done)
	failing := false
	for ev := range q.events {
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

// healed reports whether what was written last went through. A sink that takes
// an event and hands it on later, or never, has a word of its own on that.
func (q *queue) healed() bool {
	s, ok := q.sink.(interface{ Failing() bool })
	return !ok || !s.Failing()
}

func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.events)
	}
}

func (q *queue) wait(ctx context.Context) error {
	select {
	case <-q.done:
	case <-ctx.Done():
		return fmt.Errorf("flush sink %s: %d events are left: %w", q.name, len(q.events), ctx.Err())
	}
	if q.err != nil {
		return fmt.Errorf("close sink %s: %w", q.name, q.err)
	}
	return nil
}
