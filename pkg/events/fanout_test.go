package events_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/pkg/events"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is a sink that signals when it was entered, and waits for permission to
// continue.
type gate struct {
	entered chan struct{}
	open    chan struct{}
	got     []string // read after Close
	closed  int
	fail    func(n int) error // nil: never
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 100), open: make(chan struct{})}
}

func (g *gate) Write(ev flow.Event) error {
	g.entered <- struct{}{}
	<-g.open
	g.got = append(g.got, ev.Source)
	if g.fail == nil {
		return nil
	}
	return g.fail(len(g.got))
}

func (g *gate) Close() error {
	g.closed++
	return nil
}

func degraded(source string) flow.Event {
	return flow.Event{Type: flow.EventDegraded, Source: source}
}

type counting struct{ n int }

func (c *counting) Publish(flow.Event) { c.n++ }

func TestASlowSinkLosesOnlyItsOwn(t *testing.T) {
	slow, quick, direct := newGate(), newGate(), &counting{}
	close(quick.open)
	f := events.NewFanout(slog.New(slog.DiscardHandler))
	f.Add("slow", slow, 2)
	f.Add("quick", quick, 10)
	f.AddDirect(direct)

	f.Publish(degraded("1"))
	<-slow.entered // it holds 1, its queue is empty
	for _, s := range []string{"2", "3", "4", "5"} {
		f.Publish(degraded(s)) // would hang here if publishing waited
	}
	if diff := cmp.Diff(map[string]uint64{"slow": 2, "quick": 0}, f.Dropped()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	close(slow.open)
	if err := f.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.Publish(degraded("late"))

	if diff := cmp.Diff([]string{"1", "2", "3"}, slow.got); diff != "" {
		t.Errorf("slow: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, quick.got); diff != "" {
		t.Errorf("quick: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]uint64{"slow": 3, "quick": 1}, f.Dropped()); diff != "" {
		t.Errorf("after close: -want +got\n%s", diff)
	}
	if direct.n != 6 || slow.closed != 1 || quick.closed != 1 {
		t.Errorf("direct got %d, closed %d and %d times", direct.n, slow.closed, quick.closed)
	}
}

func TestCloseGivesUpWithTheContext(t *testing.T) {
	hung := newGate()
	f := events.NewFanout(slog.New(slog.DiscardHandler))
	f.Add("hung", hung, 5)
	f.Publish(degraded("1"))
	f.Publish(degraded("2"))
	<-hung.entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Close(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "hung: 1 events are left") {
		t.Errorf("got %v", err)
	}
	close(hung.open)
	if err := f.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAFailingSinkIsLoggedOnce(t *testing.T) {
	var text bytes.Buffer
	failing := newGate()
	failing.fail = func(n int) error {
		if n <= 3 {
			return errors.New("no space left on device")
		}
		return nil
	}
	close(failing.open)
	f := events.NewFanout(slog.New(slog.NewTextHandler(&text, nil)))
	f.Add("file", failing, 10)
	for range 6 {
		f.Publish(degraded("x"))
	}
	if err := f.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "no space left on device"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, text.String())
	}
	if n := strings.Count(text.String(), "takes events again"); n != 1 {
		t.Errorf("healing logged %d times:\n%s", n, text.String())
	}
	if n := f.Dropped()["file"]; n != 3 {
		t.Errorf("%d dropped, want 3", n)
	}
}

func TestPublishWhileClosing(t *testing.T) {
	open := newGate()
	open.entered = make(chan struct{}, 4000)
	close(open.open)
	f := events.NewFanout(slog.New(slog.DiscardHandler))
	f.Add("sink", open, 4000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				f.Publish(degraded("x"))
			}
		})
	}
	if err := f.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if sum := uint64(len(open.got)) + f.Dropped()["sink"]; sum != 4000 {
		t.Errorf("%d events were written or counted as dropped, want 4000", sum)
	}
}
