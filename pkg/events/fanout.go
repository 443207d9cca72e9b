package events

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Publisher takes events and never blocks.
type Publisher interface {
	Publish(flow.Event)
}

// Fanout gives every event to every sink, each in the order of publishing.
// A sink that is slow or broken loses its own events and no other sink's. It
// loses those of the owner with the most events first.
type Fanout struct {
	log    *slog.Logger
	direct []Publisher
	queues []*queue
}

// NewFanout returns a Fanout without sinks. Sinks are added before the first
// event is published.
func NewFanout(log *slog.Logger) *Fanout { return &Fanout{log: log} }

// AddDirect adds a sink that never blocks itself.
func (f *Fanout) AddDirect(p Publisher) { f.direct = append(f.direct, p) }

// Add adds a sink that may block, behind a queue of the given length. The Fanout
// then owns the sink and closes it.
func (f *Fanout) Add(name string, s Sink, length int) {
	f.queues = append(f.queues, newQueue(name, s, length, f.log))
}

// Publish gives the event to every sink. It never blocks and is safe for concurrent
// use, even after Close.
func (f *Fanout) Publish(ev flow.Event) {
	for _, p := range f.direct {
		p.Publish(ev)
	}
	for _, q := range f.queues {
		q.publish(ev)
	}
}

// Dropped returns how many events each sink did not take: its queue was
// full, it was closed, or it failed.
func (f *Fanout) Dropped() map[string]uint64 {
	dropped := make(map[string]uint64, len(f.queues))
	for _, q := range f.queues {
		dropped[q.name] = q.dropped.Load()
	}
	return dropped
}

// Close lets every sink write its queue, then closes it. If the context ends first,
// the rest is lost and the error says so.
func (f *Fanout) Close(ctx context.Context) error {
	for _, q := range f.queues {
		q.stop()
	}
	var errs []error
	for _, q := range f.queues {
		errs = append(errs, q.wait(ctx))
	}
	return errors.Join(errs...)
}
