package deadline

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// retransmitting follows tcp_retransmit_timer and tcp_write_timeout: dead at
// the first RTO, after at least one retransmission, at which the limit has
// passed since that retransmission.
func retransmitting(s flow.Socket) flow.GivesUp {
	t := newTimer(s, true)
	for range maxTimeouts {
		if t.retransmits > 0 && t.elapsed() >= limit(s, t.rto) {
			return flow.GivesUp{At: t.time(t.fires)}
		}
		t.retransmit(true)
		t.skip(limit(s, t.rto))
	}
	return flow.GivesUp{}
}

// limit is how long retransmissions may go unanswered at an RTO. A user
// timeout replaces the retries, those of an orphan included, so it may also
// lengthen.
func limit(s flow.Socket, rto time.Duration) time.Duration {
	switch {
	case s.UserTimeout > 0:
		return s.UserTimeout
	case s.Orphan:
		return Model(orphanRetries(s, rto < s.RTOMax), rtoBase, s.RTOMax)
	}
	return Model(s.Retries2, rtoBase, s.RTOMax)
}

// resourceProbe is TCP_RESOURCE_PROBE_INTERVAL: a retransmission that a queue of this host has
// dropped is tried again so soon, without a back-off (tcp_retransmit_timer).
const resourceProbe = 500 * time.Millisecond

// timer is the retransmission timer of a socket, moved from one firing to the
// next.
type timer struct {
	clock
	userTimeout, rtoMax time.Duration
	rto                 time.Duration
	retransmits         int
	again               time.Duration // until the next try, after a queue of this host dropped the last one; 0: the rto
	begun               bool          // retransmitting, or connecting
	began               time.Duration // the first retransmission, or SYN, after the reading
	expires, fires      uint64        // jiffies: what it is armed for, and when it fires
}

// newTimer starts at the timer that is armed. A socket that was read inside
// the timer's own handler has been retransmitted and is about to be armed;
// double says whether its timeout doubles then.
func newTimer(s flow.Socket, double bool) *timer {
	t := &timer{
		clock: clockOf(s), userTimeout: s.UserTimeout, rtoMax: s.RTOMax,
		rto: s.RTO, retransmits: s.Retransmits,
	}
	if s.SendErr < 0 {
		t.again = resourceProbe
	}
	if !s.RetransStamp.IsZero() {
		t.begun, t.began = true, s.RetransStamp.Sub(s.At)
	}
	switch s.Pending {
	case flow.TimerRetransmit:
		t.expires, t.fires = s.TimerJiffies, bucket(s.TimerJiffies, s.TimerLevel)
	case flow.TimerNone:
		t.rearm(s.Jiffies, double)
	default: // a loss probe or a reordering timer, which arms this one
		t.arm(s.Jiffies)
	}
	return t
}

// elapsed returns how long it has been retransmitting when it fires.
func (t *timer) elapsed() time.Duration { return t.after(t.fires) - t.began }

// retransmit is what a firing does to a socket that lives on.
func (t *timer) retransmit(double bool) {
	t.retransmits++
	t.rearm(t.fires, double)
}

// skip jumps over the firings that change nothing but the time: once the RTO
// is at its maximum they are equidistant, because each starts on the wheel
// where the one before ended. It stops when less than that distance is left,
// because a user timeout shortens the last one. It does not count firings: its
// callers need only the time.
func (t *timer) skip(limit time.Duration) {
	wait := t.rtoMax
	switch {
	case t.again > 0:
		wait = t.again
	case t.rto < t.rtoMax:
		return
	}
	over := t.skipped(limit-t.elapsed(), t.fires, wait)
	t.expires += over
	t.fires += over
}

func (t *timer) rearm(now uint64, double bool) {
	if !t.begun {
		t.begun, t.began = true, t.after(now) // the stamp is set after the tracepoint of RTO #1
	}
	if t.again > 0 {
		t.set(now, t.again)
		return
	}
	if double {
		t.rto = min(2*t.rto, t.rtoMax)
	}
	t.arm(now)
}

// arm sets the timer, clamped to what is left of a user timeout
// (tcp_clamp_rto_to_user_timeout).
func (t *timer) arm(now uint64) {
	wait := t.rto
	if t.userTimeout > 0 && t.begun {
		wait = min(wait, max(t.userTimeout-(t.after(now)-t.began), t.tick))
	}
	t.set(now, wait)
}

func (t *timer) set(now uint64, wait time.Duration) {
	t.expires = now + t.ticks(wait)
	t.fires = Wheel(now, t.expires)
}
