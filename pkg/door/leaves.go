package door

import (
	"net/netip"
	"time"
)

// state is what a connection is doing.
type state int

const (
	opening state = iota // it has not sent a whole header yet
	asking               // its request is being answered
	idle                 // it has its answer, and may ask again
)

// standing is what decides which connection has to go.
type standing struct {
	source netip.Addr
	state  state
	since  time.Time // opening: when it came; asking: when it asked, or last took in a part of its answer; idle: when it had its answer
}

// fairShare: a source that holds more than one in so many places gives one of
// them up before any other source does.
const fairShare = 4

// leaves returns the visitor that has to go: the oldest idle one; where none
// is idle, the one that has held its place for the longest without asking or
// without taking in its answer. A source with more than its share gives first.
// Half of the places are for those that have not asked yet, so that neither a
// crowd that says nothing nor one that asks and does not listen keeps out one
// that asks and goes.
func leaves(inside map[*visitor]struct{}, places int) (goes *visitor) {
	held, silent := map[netip.Addr]int{}, 0
	for v := range inside {
		held[v.standing.source]++
		if v.standing.state == opening {
			silent++
		}
	}
	first := asking
	if silent > places/2 {
		first = opening
	}
	rank := func(s standing) (n int) {
		if held[s.source] <= places/fairShare {
			n += 4
		}
		if s.state != idle {
			n += 2
		}
		if s.state != first {
			n++
		}
		return n
	}
	for v := range inside {
		if goes == nil || rank(v.standing) < rank(goes.standing) ||
			rank(v.standing) == rank(goes.standing) && v.standing.since.Before(goes.standing.since) {
			goes = v
		}
	}
	return goes
}
