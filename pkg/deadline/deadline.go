// Package deadline works out when the kernel will abort a socket. It is pure
// arithmetic on a socket's and a namespace's settings, following
// net/ipv4/tcp_timer.c: the kernel looks only when a timer fires, so the
// answer is the first firing at which the limit has passed, never the limit
// itself.
package deadline

import (
	"math/bits"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// rtoBase is TCP_RTO_MIN, from which tcp_retries2 is turned into a time
// whatever the socket's own minimum is (tcp_model_timeout).
const rtoBase = 200 * time.Millisecond

// GivesUp returns when the kernel will abort the socket if its peer stays as
// silent as it is. The zero value means that it is not known.
//
// Established sockets with data in flight are simulated from the armed timer,
// to the jiffy; an ICMP error may revert a back-off, so predict again at each
// RTO. A zero window that the peer keeps confirming is never given up.
func GivesUp(s flow.Socket) flow.GivesUp {
	if s.State == flow.SynSent || s.Orphan || s.Tick <= 0 {
		return flow.GivesUp{}
	}
	if s.SendWindow == 0 {
		return zeroWindow(s)
	}
	if s.PacketsOut == 0 || s.RTO <= 0 {
		return flow.GivesUp{}
	}
	return retransmitting(s)
}

// zeroWindow: an acknowledged probe resets the count of probes, so the kernel
// probes for ever (tcp_probe_timer).
func zeroWindow(s flow.Socket) flow.GivesUp {
	answered := s.PacketsOut == 0 && s.ProbesOut <= 1
	return flow.GivesUp{Never: answered && s.UserTimeout == 0}
}

// retransmitting follows tcp_retransmit_timer and retransmits_timed_out.
func retransmitting(s flow.Socket) flow.GivesUp {
	limit := s.UserTimeout
	if limit == 0 {
		limit = Model(s.Retries2, rtoBase, s.RTOMax)
	}
	t := timer{tick: s.Tick, rto: s.RTO, rtoMax: s.RTOMax, userTimeout: s.UserTimeout}
	began := s.RetransStamp
	if began.IsZero() {
		began = s.At // the stamp is set after the tracepoint of RTO #1
	}
	at := func(jiffies uint64) time.Time {
		return s.At.Add(time.Duration(int64(jiffies-s.Jiffies)) * s.Tick)
	}
	fires := t.armed(s, at, began)
	for range maxTimeouts {
		elapsed := at(fires).Sub(began)
		if elapsed >= limit {
			return flow.GivesUp{At: at(fires)}
		}
		t.backOff()
		fires = t.arm(fires, elapsed)
	}
	return flow.GivesUp{}
}

// maxTimeouts bounds the simulation: a user timeout of 49 days, the longest
// there is, takes 35,000 RTOs at the default maximum and twelve times a
// hundred more at the smallest, 1 s. Beyond it there is no answer.
const maxTimeouts = 1 << 16

// timer is the retransmission timer of one socket.
type timer struct {
	tick        time.Duration
	rto, rtoMax time.Duration
	userTimeout time.Duration
}

// armed returns the jiffy in which the timer that runs now will fire.
func (t *timer) armed(s flow.Socket, at func(uint64) time.Time, began time.Time) uint64 {
	if s.Pending == flow.TimerRetransmit {
		return bucket(s.TimerJiffies, s.TimerLevel)
	}
	if s.Pending == flow.TimerNone { // read inside the timer's own handler
		t.backOff()
	}
	return t.arm(s.Jiffies, at(s.Jiffies).Sub(began))
}

func (t *timer) backOff() { t.rto = min(2*t.rto, t.rtoMax) }

// arm returns the jiffy in which a timer armed at now will fire, when elapsed
// has passed since the first retransmission (tcp_clamp_rto_to_user_timeout).
func (t *timer) arm(now uint64, elapsed time.Duration) uint64 {
	wait := t.rto
	if t.userTimeout > 0 {
		wait = min(wait, max(t.userTimeout-elapsed, t.tick))
	}
	return Wheel(now, now+uint64((wait+t.tick-1)/t.tick))
}

// Model returns the time that n doubling timeouts would take, the kernel's
// reading of tcp_retries2 (tcp_model_timeout). n is at least 0.
func Model(n int, base, rtoMax time.Duration) time.Duration {
	doublings := bits.Len64(uint64(rtoMax/base)) - 1
	if n <= doublings {
		return ((2 << n) - 1) * base
	}
	return ((2<<doublings)-1)*base + time.Duration(n-doublings)*rtoMax
}

// Wheel returns the jiffy in which a timer that is armed at now for expires
// fires: the timer wheel rounds up, by more the further away it is
// (kernel/time/timer.c, calc_wheel_index).
func Wheel(now, expires uint64) uint64 {
	if int64(expires-now) <= 0 {
		return now + 1
	}
	for level := range levels {
		if expires-now < 63<<(3*level) || level == levels-1 {
			return bucket(expires, level)
		}
	}
	return expires
}

const levels = 9

// bucket returns the jiffy in which a timer that waits at a level of the wheel
// fires.
func bucket(expires uint64, level int) uint64 {
	granularity := uint64(1) << (3 * level)
	return (expires + granularity) / granularity * granularity
}
