package cluster

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// source is what the source of the records last said of itself, and what it
// lists.
type source struct {
	maxStaleness time.Duration

	up       bool
	detail   string
	name     string    // the detail of the last success
	lastSync time.Time // zero: never
	downAt   time.Time
	// podless is since when readings contain no pods, though earlier ones did.
	podless time.Time
	hasPods bool // a reading or a write contained pods

	limited bool   // it lists only the pods of podsOf, and no nodes
	podsOf  string // a node
}

// record takes in a success or a failure. It reports whether the source went
// up or down.
func (s *source) record(up bool, detail string, at time.Time) (turned bool) {
	turned = s.up != up || s.lastSync.IsZero()
	switch {
	case up:
		s.lastSync, s.name = at, detail
	case s.up || s.downAt.IsZero():
		s.downAt = at
	}
	s.up, s.detail = up, detail
	return turned
}

// health returns how far the source can be trusted.
func (s *source) health(now time.Time) flow.Health {
	h := flow.Health{Source: flow.SourceCluster, Up: s.up, LastSync: s.lastSync, Detail: s.detail}
	switch why := s.distrust(now); {
	case h.LastSync.IsZero() && h.Detail == "":
		h.Detail = why
	case !s.up:
		h.Detail += ", since " + clock(s.downAt)
	case !s.podless.IsZero():
		h.Detail += ", which has listed no pods since " + clock(s.podless)
	}
	return h
}

// distrust says why the records prove nothing, or "".
func (s *source) distrust(now time.Time) string {
	switch {
	case s.lastSync.IsZero():
		return "no cluster state was read yet"
	case !s.up && now.Sub(s.downAt) > s.maxStaleness:
		return "out of date since " + clock(s.downAt) + ": " + s.detail
	}
	return ""
}

// distrustSince returns since when distrust holds; zero: from the start.
func (s *source) distrustSince() time.Time {
	if s.lastSync.IsZero() {
		return time.Time{}
	}
	return s.downAt.Add(s.maxStaleness)
}

// podsUnknown says why the absence of a pod proves nothing, or "".
func (s *source) podsUnknown() string {
	switch {
	case !s.hasPods:
		return s.name + " lists no pods"
	case !s.podless.IsZero():
		return s.name + " has listed no pods since " + clock(s.podless)
	}
	return ""
}

// podlessTooLong reports whether readings lack pods for so long that an
// earlier absence proves nothing any more.
func (s *source) podlessTooLong(now time.Time) bool {
	return !s.podless.IsZero() && now.Sub(s.podless) > s.maxStaleness
}

// podlessSince returns since when podlessTooLong holds.
func (s *source) podlessSince() time.Time { return s.podless.Add(s.maxStaleness) }

// lists reports whether the source lists the pods of a node.
func (s *source) lists(node string) bool { return !s.limited || node == s.podsOf }

// clock says a time of day. Evidence is of late, so its date is left out.
func clock(t time.Time) string { return phrase.Time(t, t) }
