package inspector

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// ticks counts the ticks in a minute. Again and again, after the time that turns
// says, calm becomes busy or busy calm.
func ticks(turns time.Duration) (n int) {
	calm := true
	t := newTicker(every(calm, 0))
	defer t.Stop()
	end, turn := time.NewTimer(time.Minute), time.NewTicker(turns)
	defer turn.Stop()
	for {
		t.set(every(calm, 0))
		select {
		case <-end.C:
			return n
		case <-turn.C:
			calm = !calm
		case <-t.C:
			t.ticked()
			n++
		}
	}
}

// TestTicks: ticks are rare while nothing is held. They do not stop if flows come
// and go faster than ticks.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		name        string
		turns       time.Duration
		least, most int
	}{
		{"always calm", time.Hour, 11, 12},
		{"flows come and go", 700 * time.Millisecond, 24, 60},
		{"flows come and go fast", 10 * time.Millisecond, 24, 60},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := ticks(c.turns); got < c.least || got > c.most {
				t.Errorf("%s: %d ticks in a minute, want %d to %d", c.name, got, c.least, c.most)
			}
		})
	}
}

// TestAFileScanComesWithATick: also where they are rarer than the ticks of an idle agent.
func TestAFileScanComesWithATick(t *testing.T) {
	for scans, want := range map[time.Duration]time.Duration{
		0: 5 * time.Second, 5 * time.Second: 5 * time.Second, 8 * time.Second: 4 * time.Second,
		12 * time.Second: 4 * time.Second, 30 * time.Second: 5 * time.Second,
	} {
		if got := every(true, scans); got != want {
			t.Errorf("file scans every %v: ticks every %v, want %v", scans, got, want)
		}
	}
	if got := every(false, 12*time.Second); got != tick {
		t.Errorf("ticks every %v with a flow", got)
	}
}

// rounds is a kernel side that counts the regular rounds.
type rounds struct {
	holding
	n int
}

func (r *rounds) Signs() (tracer.Signs, error) { r.n++; return tracer.Signs{}, nil }

// TestAnIdleAgentRests: its rounds are rare, until a flow comes.
func TestAnIdleAgentRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &rounds{holding: holding{emptied: make(emptied, 1)}}
		i := watching(Options{Kernel: kernel})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- i.Run(ctx, func() {}) }()
		time.Sleep(time.Minute + tick/2)
		synctest.Wait()
		if kernel.n < 11 || kernel.n > 12 {
			t.Errorf("%d rounds in an idle minute, want one in 5 s", kernel.n)
		}
		now := time.Now()
		kernel.socket = flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1, Retransmits: 1, PacketsOut: 1}
		kernel.n = 0
		kernel.emptied <- tracer.Record{Suspect: &kernel.socket}
		time.Sleep(10*tick + tick/2)
		synctest.Wait()
		if kernel.n < 10 {
			t.Errorf("%d rounds in 10 s with a flow, want one each second", kernel.n)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
