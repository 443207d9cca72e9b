package inspector_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

type table struct {
	failures int           // of searches, before they succeed
	slow     time.Duration // what a search of all zones takes
	mu       sync.Mutex
	err      error // of lookups
	entries  map[flow.Tuple]flow.Translation
	asked    func() // what happens at every question; nil: nothing
	searched func() // what happens at every search for the connections to a backend; nil: nothing
}

// begin takes a question up. Like the kernel's table, it has no answer for a
// context that has ended.
func (t *table) begin(ctx context.Context) error {
	if t.asked != nil {
		t.asked()
	}
	return ctx.Err()
}

func (t *table) Lookup(ctx context.Context, tuple flow.Tuple) (flow.Translation, error) {
	if err := t.begin(ctx); err != nil {
		return flow.Translation{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return flow.Translation{}, t.err
	}
	entry, ok := t.entries[tuple]
	if !ok {
		return flow.Translation{}, conntrack.ErrNotFound
	}
	entry.Asked = tuple
	return entry, nil
}

// LookupAll finishes the question that has begun when the context ends, and asks no
// more.
func (t *table) LookupAll(ctx context.Context, tuples []flow.Tuple) []conntrack.Answer {
	answers := make([]conntrack.Answer, len(tuples))
	for n, tuple := range tuples {
		if answers[n].Err = ctx.Err(); answers[n].Err == nil {
			answers[n].Entry, answers[n].Err = t.Lookup(context.WithoutCancel(ctx), tuple)
		}
	}
	return answers
}

// fail has lookups fail from now on, or work again.
func (t *table) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

func (t *table) Search(ctx context.Context, tuple flow.Tuple) ([]flow.Translation, error) {
	time.Sleep(t.slow)
	entry, err := t.Lookup(ctx, tuple)
	return []flow.Translation{entry}, err
}

func (t *table) ByReplySource(ctx context.Context, addrs []netip.Addr, fn func(flow.Translation) error) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	if t.searched != nil {
		t.searched()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures > 0 {
		t.failures--
		return syscall.ENOBUFS
	}
	for _, entry := range t.entries {
		if slices.Contains(addrs, entry.Reply.Src.Addr()) {
			if err := fn(entry); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *table) Longest() time.Duration { return 0 }

func (t *table) Translates(ctx context.Context, addr netip.Addr) (bool, error) {
	if err := t.begin(ctx); err != nil {
		return false, err
	}
	time.Sleep(t.slow)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, entry := range t.entries {
		if entry.Orig.Dst.Addr() == addr {
			return true, nil
		}
	}
	return false, nil
}

// owners knows the processes that live; hidden are those that it is not shown.
type owners struct {
	living map[flow.Process]flow.Owner
	hidden bool
}

// echo is the process that holds what hung returns.
var echo = flow.Process{PID: 4711, Started: time.Hour}

// living returns owners that know one process.
func living(p flow.Process, o flow.Owner) owners {
	return owners{living: map[flow.Process]flow.Owner{p: o}}
}

func (o owners) Lookup(p flow.Process) (flow.Owner, error) {
	if o.hidden {
		return flow.Owner{}, owner.ErrHidden
	}
	if at, ok := o.living[p]; ok {
		return at, nil
	}
	return flow.Owner{}, owner.ErrGone
}

func (o owners) Check() error {
	if o.hidden {
		return owner.ErrHidden
	}
	return nil
}

// places knows which pod's a network namespace is.
type places map[uint32]string

func (p places) Pod(netns uint32) string { return p[netns] }

func (p places) Elsewhere(podUID string, netns uint32) bool {
	for at, uid := range p {
		if uid == podUID && at != netns {
			return p[netns] != podUID
		}
	}
	return false
}

func (p places) Knows(uint32) bool { return true }

func (p places) Refresh(time.Time) error { return nil }

type sink chan flow.Event

func (s sink) Publish(e flow.Event) { s <- e }
