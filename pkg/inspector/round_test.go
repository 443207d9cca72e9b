package inspector

import (
	"context"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// TestNewsGoBeforeTheNextStep: regular work is done in steps when no record
// waits, and all of it before the next round.
func TestNewsGoBeforeTheNextStep(t *testing.T) {
	done := 0
	next := func(context.Context) { done++ }
	r := round{steps: []step{next, next, next}}
	records := make(chan tracer.Record, 1)
	select {
	case <-r.spare(records):
		r.step(t.Context())
	default:
		t.Error("no step may be done while nothing waits")
	}
	records <- tracer.Record{}
	if r.spare(records) != nil {
		t.Error("a step may be done before a record that waits")
	}
	if done != 1 {
		t.Errorf("%d steps done, want 1", done)
	}
	if r.finish(t.Context()); done != 3 {
		t.Errorf("%d steps done by the next round, want 3", done)
	}
	if r.spare(make(chan tracer.Record)) != nil {
		t.Error("a step may be done where none is left")
	}
}
