package inspector

import (
	"context"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// costly is a conntrack table without entries that takes time to ask, on a
// core.
type costly struct {
	Conntrack
	each time.Duration
}

func (c costly) LookupAll(_ context.Context, tuples []flow.Tuple) []conntrack.Answer {
	answers := make([]conntrack.Answer, len(tuples))
	for n := range answers {
		spin(c.each)
		answers[n].Err = conntrack.ErrNotFound
	}
	return answers
}

func (costly) Longest() time.Duration { return 0 }

func (costly) Translates(context.Context, netip.Addr) (bool, error) { return false, nil }

// spin takes some of a core.
func spin(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock := func() time.Duration {
		var t unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
		return time.Duration(t.Nano())
	}
	for began := clock(); clock()-began < d; {
	}
}

// aged has flows be reported whose conntrack entries have aged.
func aged(t *testing.T, i *Inspector, flows int) []task {
	t.Helper()
	now := time.Now()
	for n := range flows {
		s := flow.Socket{ID: flow.ID(n + 1), State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1, Retransmits: 1, PacketsOut: 1, SendWindow: 1}
		i.o.Ledger.Observe(s)
		evidence := diagnosis.Evidence{Now: now.Add(-time.Minute), Socket: s, Conntrack: diagnosis.Conntrack{At: now.Add(-time.Hour), Missing: true}}
		i.o.Ledger.Put(i.o.Ledger.Entry(s.ID).Judge(evidence, diagnosis.Decide(&evidence)).Report(now, "found stuck"))
	}
	return asked(i.o.Ledger.Entries(), isAged)
}

// TestConntrackKeepsNoVerdictWaiting: a question to conntrack costs a thousand
// times as much as a judgement. Judging continues, however much was spent on
// questions.
func TestConntrackKeepsNoVerdictWaiting(t *testing.T) {
	t.Run("an entry that has aged", func(t *testing.T) {
		i := watching(Options{Kernel: make(emptied), Conntrack: costly{each: 20 * time.Millisecond}})
		tasks := aged(t, i, 1)
		i.phases.asking.Charge(time.Second, time.Now())
		i.phases.turn(t.Context(), collected{}, tasks)
		e := i.o.Ledger.Entry(1)
		if asked := e.Evidence().Conntrack.At; time.Since(asked) < time.Minute {
			t.Errorf("asked %v ago, with nothing left for questions", time.Since(asked))
		}
		if judged := e.Evidence().Now; time.Since(judged) > time.Minute/2 {
			t.Errorf("judged %v ago", time.Since(judged))
		}
		if !i.budgets.judging.Allows(time.Now()) || !i.budgets.readings.Allows(time.Now()) {
			t.Error("other work waits for what was spent on questions")
		}
	})
	t.Run("many at once", func(t *testing.T) {
		const each, flows = 2 * time.Millisecond, 40
		i := watching(Options{Kernel: make(emptied), Conntrack: costly{each: each}})
		i.phases.turn(t.Context(), collected{}, aged(t, i, flows))
		if spent := i.phases.asking.Spent(); spent < flows*each/2 {
			t.Errorf("%d questions of %v cost their budget %v", flows, each, spent)
		}
		if i.phases.asking.Allows(time.Now()) {
			t.Error("more questions may be asked")
		}
	})
}

// TestTheDeadAreNotAskedFor: what conntrack could not be asked of flows that are
// over must not be asked for ever.
func TestTheDeadAreNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, now := t.Context(), time.Now()
		table := &unreachable{}
		i := watching(Options{Kernel: make(emptied), Conntrack: table, Cluster: cluster.New(cluster.Options{})})
		take(ctx, i, tracer.Record{Suspect: &flow.Socket{ID: 7, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1}})
		i.askUnanswered(ctx)
		if !i.asker.Unanswered() || table.asked != 2 {
			t.Fatalf("asked %d times, want once more: there was no answer", table.asked)
		}
		take(ctx, i, tracer.Record{End: &flow.End{ID: 7, At: time.Now()}})
		i.askUnanswered(ctx)
		if i.asker.Unanswered() || table.asked != 2 {
			t.Errorf("asked %d times, and the flow is over", table.asked)
		}
	})
}

// TestOneQuestionAtATimeWhileConntrackFails: each may take its whole patience,
// and the loop would do nothing else.
func TestOneQuestionAtATimeWhileConntrackFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &unreachable{}
		i := watching(Options{Kernel: make(emptied), Conntrack: table})
		tasks := aged(t, i, 40)
		if i.phases.turn(t.Context(), collected{}, tasks[:20]); table.asked != 20 {
			t.Errorf("asked %d times, want about each flow", table.asked)
		}
		if i.phases.turn(t.Context(), collected{}, tasks[20:]); table.asked != 21 {
			t.Errorf("asked %d times more, and it fails", table.asked-20)
		}
	})
}

// unreachable is a conntrack table that answers nothing.
type unreachable struct {
	Conntrack
	asked int
}

func (u *unreachable) LookupAll(_ context.Context, tuples []flow.Tuple) []conntrack.Answer {
	answers := make([]conntrack.Answer, len(tuples))
	for n := range answers {
		u.asked++
		answers[n].Err = syscall.ENOBUFS
	}
	return answers
}
