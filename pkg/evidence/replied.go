package evidence

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	longestAge = time.Minute      // how long the setting is taken for what it was
	telling    = 10 * time.Minute // a time-out that is not longer than that tells nothing: with data unacknowledged it is 5 minutes
	coarse     = time.Second      // time-outs are in whole seconds
)

// longest is the time-out of an entry whose data is acknowledged.
func (t *table) longest(now time.Time) time.Duration {
	if now.Sub(t.longestAt) >= longestAge {
		t.longestKnown, t.longestAt = t.conntrack.Longest(), now
	}
	return t.longestKnown
}

// replied reports whether conntrack has seen an answer of the peer that the socket lacks: one to
// its SYN, or the acknowledgement of all that it sent. While data is not acknowledged, each
// packet sets a short time-out. So a long one that was set since progress stopped shows that
// the acknowledgement has passed by.
func (t *table) replied(c diagnosis.Conntrack, s *flow.Socket, now time.Time) bool {
	entry := c.Entry
	switch {
	case entry == nil || s.Timeouts == 0:
		return false
	case s.State == flow.SynSent:
		return !entry.Unreplied && (entry.State == "SYN_RECV" || entry.State == "CLOSE")
	case entry.State != "ESTABLISHED" || s.Unacknowledged == 0:
		return false
	}
	longest := t.longest(now)
	return longest > telling && longest-entry.Timeout+coarse < now.Sub(s.Since)
}
