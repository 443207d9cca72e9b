package door

import (
	"net/netip"
	"time"
)

// state is what a connection is doing.
type state int

const (
	opening state = iota // it has not sent a whole header yet
	asking               // the agent owes it an answer, or has not listened to it yet
	taking               // it is reading its answer
	idle                 // it has its answer, and may ask again
)

// standing decides which connection has to go.
type standing struct {
	source netip.Addr
	state  state
	since  time.Time     // since it has been doing that; taking: since it read the latest piece
	pauses time.Duration // pauses between pieces that it is granted
}

const (
	// stay is how long a connection is kept while its request is read, and after
	// it has read some of its answer. Most need less for all of it. It is short,
	// since a full door makes the next connection wait for that long.
	stay = 100 * time.Millisecond
	// listStay is the same if the owner's own programs read long lists.
	listStay = 300 * time.Millisecond
	// owed is how long a connection is kept while the agent composes its answer.
	owed = 500 * time.Millisecond
)

// until returns when nothing prevents its end any more.
func (s standing) until() time.Time {
	switch s.state {
	case asking:
		return s.since.Add(owed)
	case taking:
		return s.since.Add(s.pauses)
	case idle:
		return s.since
	}
	return s.since.Add(stay)
}

// fairShare: a source that holds more than one in so many places loses one of them
// before any other source does.
const fairShare = 4

// leaves returns the connection to close: the oldest idle one. If none is idle, it
// is the one whose time was up first, in which it sent no request or read no answer.
// A source with more than its share loses one first. Half of the places are for
// connections without a request yet: neither a silent crowd nor one that does not
// read keeps out a caller that asks and leaves. If all have time left, the one with
// the least is closed.
func leaves(inside map[*visitor]struct{}, places int, now time.Time) (goes *visitor) {
	held, silent := map[netip.Addr]int{}, 0
	for v := range inside {
		held[v.standing.source]++
		if v.standing.state == opening {
			silent++
		}
	}
	rank := func(s standing) (n int) {
		if s.until().After(now) {
			return 8
		}
		if held[s.source] <= places/fairShare {
			n += 4
		}
		if s.state != idle {
			n += 2
		}
		if (s.state == opening) != (silent > places/2) {
			n++
		}
		return n
	}
	for v := range inside {
		if goes == nil || rank(v.standing) < rank(goes.standing) ||
			rank(v.standing) == rank(goes.standing) && v.standing.until().Before(goes.standing.until()) {
			goes = v
		}
	}
	return goes
}
