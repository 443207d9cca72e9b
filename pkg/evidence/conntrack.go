package evidence

import (
	"context"
	"errors"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const stands = 2 // an answer stands for so many ages while conntrack fails

// table asks conntrack.
type table struct {
	conntrack Conntrack // nil: down
	down      string    // why
	meter     Meter
	err       error     // of the last question
	at        time.Time // of the last entry
	owes      bool      // a question had no answer, and was not repeated since

	longestKnown time.Duration
	longestAt    time.Time
}

// lookups asks for the entries of these tuples, in their order. Once the context
// ends, it asks for no more.
func (t *table) lookups(ctx context.Context, tuples []flow.Tuple) []conntrack.Answer {
	if t.conntrack == nil {
		return make([]conntrack.Answer, len(tuples))
	}
	return t.conntrack.LookupAll(ctx, tuples)
}

// take turns an answer into evidence. While conntrack fails, its last answer
// stands for some time: one failed lookup is no reason to withdraw a verdict.
func (t *table) take(a conntrack.Answer, before diagnosis.Conntrack, now time.Time, age time.Duration) diagnosis.Conntrack {
	if t.conntrack == nil {
		return diagnosis.Conntrack{At: now, Err: errors.New(t.down)}
	}
	missing := errors.Is(a.Err, conntrack.ErrNotFound)
	if missing {
		a.Err = nil
	}
	t.meter.Lookup(flow.SourceConntrack, a.Took, a.Err)
	t.err = a.Err
	switch {
	case missing:
		return diagnosis.Conntrack{At: now, Missing: true, Zones: before.Missing && before.Zones}
	case a.Err == nil:
		t.at = now
		return diagnosis.Conntrack{At: now, Entry: &a.Entry}
	}
	t.owes = true
	if before.Err == nil && now.Sub(before.At) < stands*age {
		before.Unanswered = true
		return before
	}
	return diagnosis.Conntrack{At: now, Err: a.Err, Unanswered: true}
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
