package ledger

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestAHistoryIsBounded: the first three steps stay, and the latest twenty.
func TestAHistoryIsBounded(t *testing.T) {
	for _, c := range []struct {
		steps int
		want  []string
	}{
		{0, nil},
		{2, []string{"0", "1"}},
		{23, words(0, 23)},
		{24, append(append(words(0, 3), "1 steps before this one are left out"), words(4, 24)...)},
		{5000, append(append(words(0, 3), "4977 steps before this one are left out"), words(4980, 5000)...)},
	} {
		var h history
		for n := range c.steps {
			h = h.with(at(float64(n)), fmt.Sprint(n))
		}
		var got []string
		for _, step := range h.all() {
			got = append(got, step.What)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%d steps: -want +got\n%s", c.steps, diff)
		}
	}
}

func words(from, to int) []string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return all
}

// TestAReadersHistoryNeverChanges: an entry may share its steps with those that
// come after it.
func TestAReadersHistoryNeverChanges(t *testing.T) {
	e := newEntry(readAt(0, 1))
	for n := range 40 {
		before := NewComposer("node-a", "boot").Finding(e, at(100)).History
		was := append([]flow.Step(nil), before...)
		first, second := e.Report(at(float64(n)), "one way"), e.Report(at(float64(n)), "another way")
		if diff := cmp.Diff(was, NewComposer("node-a", "boot").Finding(e, at(100)).History); diff != "" {
			t.Fatalf("step %d changed the entry before it: -want +got\n%s", n, diff)
		}
		if latest := first.history.steps[len(first.history.steps)-1].What; latest != "one way" {
			t.Fatalf("step %d: %q is the latest of one way", n, latest)
		}
		e = second
	}
}
