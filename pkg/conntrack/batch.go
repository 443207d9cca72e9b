package conntrack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// together is how many questions share a datagram. Their requests fit into one page,
// and their answers, of a page each at most, into the default receive buffer.
const together = 32

// errLost says that a question has no answer.
var errLost = errors.New("the kernel answered with nothing")

// Answer is what LookupAll found for one tuple.
type Answer struct {
	Entry flow.Translation // as Lookup returns it
	Err   error            // as Lookup returns it
	Took  time.Duration    // this question's share of the time of those asked with it
}

// LookupAll looks up the entries of all tuples, in their order, as Lookup does, but
// asks the kernel many questions at a time. It never waits for the kernel, only for a
// socket that another lookup uses. Once ctx ends, it asks no more, and what was not
// asked has the error of ctx. A question that fails has no effect on the others.
func (t *Table) LookupAll(ctx context.Context, tuples []flow.Tuple) []Answer {
	answers := make([]Answer, len(tuples))
	for from := 0; from < len(tuples); from += together {
		to := min(from+together, len(tuples))
		t.lookUpPart(ctx, tuples[from:to], answers[from:to])
	}
	return answers
}

// lookUpPart asks as many questions as one datagram holds.
func (t *Table) lookUpPart(ctx context.Context, tuples []flow.Tuple, answers []Answer) {
	began := time.Now()
	prepare(tuples, answers)
	err := ctx.Err()
	if err == nil {
		err = t.askTogether(answers)
	}
	if err == nil {
		err = errLost
	}
	took := time.Since(began) / time.Duration(len(answers))
	for n := range answers {
		if lost(answers[n]) {
			answers[n].fail(err)
		}
		answers[n].Took = took
	}
}

// prepare notes every tuple in the form of the table, without an answer yet. It
// refuses a tuple that no entry can have.
func prepare(tuples []flow.Tuple, answers []Answer) {
	for n, tuple := range tuples {
		asked, err := normal(tuple)
		if err != nil {
			answers[n].fail(err)
			continue
		}
		answers[n] = Answer{Entry: flow.Translation{Asked: asked}, Err: errLost}
	}
}

// askTogether asks for whatever has no answer.
func (t *Table) askTogether(answers []Answer) error {
	s, err := t.borrow()
	if err != nil {
		return err
	}
	err = askUntilAnswered(s, &s.batch, answers)
	return errors.Join(explain(err), t.giveBack(s, err == nil))
}

// askUntilAnswered asks all questions together. It asks again, alone, those whose
// answers found no room in the receive buffer.
func askUntilAnswered(w wire, b *batch, answers []Answer) error {
	if err := b.exchange(w, answers); err != nil {
		return err
	}
	for n := range answers {
		if err := b.exchange(w, answers[n:n+1]); err != nil {
			return err
		}
	}
	return nil
}

func lost(a Answer) bool { return errors.Is(a.Err, errLost) }

// fail notes an error in place of an entry.
func (a *Answer) fail(err error) {
	*a = Answer{Err: fmt.Errorf("look up conntrack entry: %w", err)}
}
