package cluster

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// health is what the source last said of itself.
type health struct {
	up       bool
	detail   string
	source   string    // the detail of the last success: what the source is
	lastSync time.Time // zero: never
	downAt   time.Time
	// podless is since when readings do not speak of pods any more, though
	// earlier ones did.
	podless time.Time
	hasPods bool // a reading, or a write, spoke of pods
}

// SetHealth records a successful sync, where detail names the source ("file
// /run/cluster.yaml"), or a failure, where it says what is wrong. What was
// known stays known until the source was down for Options.MaxStaleness.
func (s *State) SetHealth(up bool, detail string, at time.Time) {
	s.mu.Lock()
	h := &s.health
	flipped := h.up != up || h.lastSync.IsZero()
	switch {
	case up:
		h.lastSync, h.source = at, detail
	case h.up || h.downAt.IsZero():
		h.downAt = at
	}
	h.up, h.detail = up, detail
	s.mu.Unlock()
	s.tell(flipped)
}

// Health returns how far the source can be trusted.
func (s *State) Health(now time.Time) flow.Health {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := flow.Health{Source: flow.SourceCluster, Up: s.health.up, LastSync: s.health.lastSync, Detail: s.health.detail}
	switch why := s.distrust(now); {
	case h.LastSync.IsZero() && h.Detail == "":
		h.Detail = why
	case !s.health.up:
		h.Detail += ", since " + clock(s.health.downAt)
	case !s.health.podless.IsZero():
		h.Detail += ", which does not speak of pods since " + clock(s.health.podless)
	}
	return h
}

// OutOfDate reports whether nothing may be concluded from the records, or from
// having no pod, any more: what was concluded before has to be asked again.
func (s *State) OutOfDate(now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.distrust(now) != "" || s.podlessTooLong(now)
}

// distrust says why nothing can be concluded from the records, or "".
func (s *State) distrust(now time.Time) string {
	h := &s.health
	switch {
	case h.lastSync.IsZero():
		return "no cluster state was read yet"
	case !h.up && now.Sub(h.downAt) > s.opts.MaxStaleness:
		return "out of date since " + clock(h.downAt) + ": " + h.detail
	}
	return ""
}

// distrustSince returns since when distrust holds; zero: from the start.
func (s *State) distrustSince() time.Time {
	if s.health.lastSync.IsZero() {
		return time.Time{}
	}
	return s.health.downAt.Add(s.opts.MaxStaleness)
}

// podlessTooLong reports whether what was concluded from having no pod is
// out of date.
func (s *State) podlessTooLong(now time.Time) bool {
	return !s.health.podless.IsZero() && now.Sub(s.health.podless) > s.opts.MaxStaleness
}

// podsUnknown says why nothing can be concluded from having no pod, or "".
func (s *State) podsUnknown() string {
	h := &s.health
	switch {
	case !h.hasPods:
		return h.source + " does not speak of pods"
	case !h.podless.IsZero():
		return h.source + " does not speak of pods since " + clock(h.podless)
	}
	return ""
}

// clock says a time of day. Evidence is of late, so its date is left out.
func clock(t time.Time) string { return phrase.Time(t, t) }
