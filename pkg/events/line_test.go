package events

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// of is the nth event of a namespace.
func of(namespace string, n int) flow.Event {
	return flow.Event{Type: flow.EventStuck, Flow: &flow.Finding{ID: flow.ID(n), Local: flow.Local{Namespace: namespace, Pod: "p"}}}
}

func drain(l *line) (ids []int) {
	for l.len() > 0 {
		ids = append(ids, int(l.take().Flow.ID))
	}
	return ids
}

func TestALineThatIsFull(t *testing.T) {
	for _, c := range []struct {
		name   string
		owners []string // of event 0, 1, ...
		want   []int
		lost   int
	}{
		{"of one", []string{"a", "a", "a", "a", "a", "a"}, []int{0, 1, 2, 3}, 2},
		{"the greedy one gives its latest", []string{"a", "a", "a", "a", "b", "c"}, []int{0, 1, 4, 5}, 2},
		{"of a share alike, who comes late", []string{"a", "b", "a", "b", "a", "b"}, []int{0, 1, 2, 3}, 2},
		{"nobody has more than one", []string{"a", "b", "c", "d", "e"}, []int{0, 1, 2, 3}, 1},
		{"as much as another, and no more", []string{"a", "a", "a", "a", "b", "b", "b"}, []int{0, 1, 4, 5}, 3},
		{"room for all", []string{"a", "a", "b", "a"}, []int{0, 1, 2, 3}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, lost := newLine(4), 0
			for n, owner := range c.owners {
				if l.add(of(owner, n)) {
					lost++
				}
			}
			if diff := cmp.Diff(c.want, drain(l)); diff != "" || lost != c.lost {
				t.Errorf("%d lost, want %d, -want +got\n%s", lost, c.lost, diff)
			}
		})
	}
}

// A storm of one, and of the agent's own events, costs the others nothing,
// while the sink takes events now and then.
func TestAStormLosesNothingOfAnother(t *testing.T) {
	const seed = 20261128
	random := rand.New(rand.NewPCG(seed, seed))
	l := newLine(100)
	added, got := 0, map[int]bool{}
	for n := range 100_000 {
		ev := of("storm", n)
		switch {
		case n%1000 == 999:
			ev = of(fmt.Sprint("team-", n%7), n)
			added++
		case n%5 == 0:
			ev = flow.Event{Type: flow.EventDegraded}
		}
		l.add(ev)
		if random.IntN(10) == 0 {
			if ev := l.take(); ev.Flow != nil && ev.Flow.Local.Namespace != "storm" {
				got[int(ev.Flow.ID)] = true
			}
		}
		if len(l.owned) > l.len() || len(l.having) > len(l.owned) {
			t.Fatalf("%d owners and %d numbers of %d events", len(l.owned), len(l.having), l.len())
		}
	}
	for l.len() > 0 {
		if ev := l.take(); ev.Flow != nil && ev.Flow.Local.Namespace != "storm" {
			got[int(ev.Flow.ID)] = true
		}
	}
	if len(got) != added {
		t.Errorf("%d of the others' %d events came through", len(got), added)
	}
	if len(l.owned)+len(l.having) != 0 {
		t.Errorf("an empty line has %d owners and %d numbers", len(l.owned), len(l.having))
	}
}
