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
	taking               // it is taking its answer in
	idle                 // it has its answer, and may ask again
)

// standing is what decides which connection has to go.
type standing struct {
	source netip.Addr
	state  state
	since  time.Time     // it has been doing that; taking: since it took in the latest piece
	pauses time.Duration // between pieces, that are granted to it
}

const (
	// stay is how long nobody has to go who is being listened to, or has just
	// taken in some of its answer. Most need less for all of it. It is short: as
	// many as have places make the next one wait for that long.
	stay = 100 * time.Millisecond
	// listStay is the same where the owner's own programs read long lists.
	listStay = 300 * time.Millisecond
	// owed is how long nobody has to go for whom the agent is at work.
	owed = 500 * time.Millisecond
)

// until returns when nothing speaks against its going any more.
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

// fairShare: a source that holds more than one in so many places gives one of
// them up before any other source does.
const fairShare = 4

// leaves returns the visitor that has to go: the oldest idle one; where none is
// idle, the one whose time was up first, without asking or without taking in
// its answer. A source with more than its share gives first. Half of the places
// are for those that have not asked yet, so that neither a crowd that says
// nothing nor one that asks and does not listen keeps out a caller that asks
// and goes. Where all have some time left, the one with the least has to go.
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
