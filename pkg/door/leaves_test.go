package door

import (
	"net/netip"
	"testing"
	"time"
)

func TestWhoLeaves(t *testing.T) {
	const places = 8
	now := time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC)
	prometheus, pod := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	at := func(source netip.Addr, s state, ago time.Duration) standing {
		return standing{source: source, state: s, since: now.Add(-ago), pauses: stay}
	}
	many := func(n int, s standing) (all []standing) {
		for i := range n {
			s.source = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
			all = append(all, s)
		}
		return all
	}
	for _, c := range []struct {
		name   string
		inside []standing // the first one has to go
	}{
		{"the oldest idle one", []standing{at(prometheus, idle, time.Minute), at(pod, idle, time.Second), at(pod, opening, time.Hour), at(prometheus, asking, time.Hour)}},
		{"one that is idle, for however short", []standing{at(prometheus, idle, 0), at(pod, taking, time.Hour)}},
		{"none of the idle: who has not asked for the longest, where most have not", append(
			[]standing{at(prometheus, opening, time.Minute)}, many(7, at(pod, opening, time.Second))...)},
		{"the silent have no more than half", append(
			[]standing{at(prometheus, opening, time.Second)}, append(many(4, at(pod, opening, time.Second-stay)), at(pod, taking, time.Minute))...)},
		{"who does not take its answer in, where most have asked", append(
			[]standing{at(prometheus, taking, time.Second)}, many(6, at(pod, opening, 0))...)},
		{"a deaf one before one that has just come, however many are deaf", append(
			[]standing{at(prometheus, taking, time.Minute), at(prometheus, opening, time.Second)}, many(6, at(pod, taking, time.Second))...)},
		{"a silent one before one that waits for its answer", append(
			[]standing{at(prometheus, opening, time.Second)}, many(5, at(pod, asking, owed/2))...)},
		{"who waits for longer than is owed", []standing{at(pod, asking, owed+stay), at(prometheus, asking, 0), at(prometheus, taking, 0)}},
		{"who takes something in all along stays", []standing{at(pod, taking, time.Minute), at(prometheus, taking, stay)}},
		{"a source with more than its share gives first", []standing{
			at(pod, taking, time.Second), at(pod, taking, stay), at(pod, taking, stay), at(prometheus, idle, time.Hour), at(prometheus, opening, time.Minute)}},
		{"two of one source are no more than its share", []standing{at(prometheus, idle, time.Minute), at(pod, taking, time.Hour), at(pod, taking, time.Hour)}},
		{"all have time left: who has the least", []standing{at(pod, opening, stay/2), at(prometheus, asking, owed/2), at(prometheus, opening, 0)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 { // a map has no order
				inside, names := map[*visitor]struct{}{}, map[*visitor]int{}
				for i, s := range c.inside {
					v := &visitor{standing: s}
					inside[v], names[v] = struct{}{}, i
				}
				if got := names[leaves(inside, places, now)]; got != 0 {
					t.Fatalf("number %d has to go: %+v", got, c.inside[got])
				}
			}
		})
	}
}
