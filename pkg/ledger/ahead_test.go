package ledger

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// numbered counts the findings that were composed.
func numbered(n int, composed *int) func(func(flow.Finding) bool) {
	return func(yield func(flow.Finding) bool) {
		for id := range n {
			*composed++
			if !yield(flow.Finding{ID: flow.ID(id)}) {
				return
			}
		}
	}
}

// TestInAdvance: the reader gets every finding in order, wherever it stops. The
// goroutine is never far ahead, and ends with the reader.
func TestInAdvance(t *testing.T) {
	for _, n := range []int{0, 1, ahead - 1, ahead, ahead + 1, 2 * ahead, 10 * ahead} {
		for _, read := range []int{0, 1, ahead - 1, ahead, ahead + 1, 5*ahead + 3, n} {
			synctest.Test(t, func(t *testing.T) { // it fails if the goroutine stays
				composed, got := 0, []flow.ID{}
				for f := range inAdvance(numbered(n, &composed)) {
					synctest.Wait()
					if composed > len(got)+3*ahead {
						t.Fatalf("%d findings are composed, and %d were read", composed, len(got))
					}
					if len(got) >= read {
						break
					}
					got = append(got, f.ID)
				}
				if composed > read+4*ahead {
					t.Errorf("%d findings were composed, and %d were read", composed, read)
				}
				want := []flow.ID{}
				for id := range min(read, n) {
					want = append(want, flow.ID(id))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%d of %d findings (-want +got):\n%s", read, n, diff)
				}
			})
		}
	}
}

// TestPartsAreUsedAgain: a long list makes no more garbage than a short one.
func TestPartsAreUsedAgain(t *testing.T) {
	composed, read := 0, 0
	all := inAdvance(numbered(100*ahead, &composed))
	n := testing.AllocsPerRun(5, func() {
		for range all {
			read++
		}
	})
	if n > 20 {
		t.Errorf("%v allocations for 100 parts", n)
	}
}

// TestEachOfMany: a storm's findings come in the same order as few.
func TestEachOfMany(t *testing.T) {
	now := time.Now()
	l := New(Options{MaxFlows: 1000}, now)
	var want []flow.ID
	for n := range 5*ahead + 1 {
		s := flow.Socket{ID: flow.ID(n + 1), State: flow.Established, Live: true, At: now, Since: now.Add(-time.Duration(n) * time.Second), Timeouts: 1}
		l.Observe(s)
		l.Put(l.Entry(s.ID).Report(now, "found stuck"))
		want = append(want, s.ID)
	}
	slices.Reverse(want)
	for _, words := range []bool{false, true} {
		var got []flow.ID
		for f := range l.View().Each(flow.Selection{Live: true, Words: words}) {
			got = append(got, f.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with words %v (-want +got):\n%s", words, diff)
		}
	}
}
