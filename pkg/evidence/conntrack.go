package evidence

import (
	"context"
	"errors"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	stands     = 2  // an answer stands for so many ages while conntrack fails
	worthwhile = 16 // the number of lookups that is worth a second goroutine
)

// table asks conntrack.
type table struct {
	conntrack Conntrack // nil: down
	down      string    // why
	meter     Meter
	books     *budget.Books // of the caller
	err       error         // of the last question
	at        time.Time     // of the last entry
	owes      bool          // a question had no answer, and was not repeated since
}

// answer is what conntrack said of one tuple.
type answer struct {
	entry flow.Translation
	err   error
	took  time.Duration
}

// lookups asks for the entries of these tuples, in their order. Once the context
// ends, it asks for no more.
func (t *table) lookups(ctx context.Context, tuples []flow.Tuple) []answer {
	answers := make([]answer, len(tuples))
	if t.conntrack == nil {
		return answers
	}
	ask := func(from, step int) {
		for n := from; n < len(tuples) && ctx.Err() == nil; n += step {
			answers[n] = t.lookup(ctx, tuples[n])
		}
	}
	if len(tuples) < worthwhile {
		ask(0, 1)
		return answers
	}
	t.books.Help(conntrack.LookupsAtOnce, func(n int) { ask(n, conntrack.LookupsAtOnce) })
	return answers
}

func (t *table) lookup(ctx context.Context, tuple flow.Tuple) answer {
	ctx, cancel := lookup(ctx, patience)
	defer cancel()
	began := time.Now()
	entry, err := t.conntrack.Lookup(ctx, tuple)
	return answer{entry, err, time.Since(began)}
}

// take turns an answer into evidence. While conntrack fails, its last answer
// stands for some time: one failed lookup is no reason to withdraw a verdict.
func (t *table) take(a answer, before diagnosis.Conntrack, now time.Time, age time.Duration) diagnosis.Conntrack {
	if t.conntrack == nil {
		return diagnosis.Conntrack{At: now, Err: errors.New(t.down)}
	}
	missing := errors.Is(a.err, conntrack.ErrNotFound)
	if missing {
		a.err = nil
	}
	t.meter.Lookup(flow.SourceConntrack, a.took, a.err)
	t.err = a.err
	switch {
	case missing:
		return diagnosis.Conntrack{At: now, Missing: true, Zones: before.Missing && before.Zones}
	case a.err == nil:
		t.at = now
		return diagnosis.Conntrack{At: now, Entry: &a.entry}
	}
	t.owes = true
	if before.Err == nil && now.Sub(before.At) < stands*age {
		before.Unanswered = true
		return before
	}
	return diagnosis.Conntrack{At: now, Err: a.err, Unanswered: true}
}

// health counts an open table without an error as up: without suspects there are
// no lookups.
func (t *table) health() flow.Health {
	h := flow.Health{Source: flow.SourceConntrack, LastSync: t.at}
	switch {
	case t.conntrack == nil:
		h.Detail = t.down
	case t.err != nil:
		h.Detail = t.err.Error()
	default:
		h.Up = true
	}
	return h
}
