// Package deadline computes when the kernel will abort a socket. It is pure
// arithmetic on a socket's and a namespace's settings, following
// net/ipv4/tcp_timer.c. The kernel looks only when a timer fires, so the answer is
// the first firing at which the limit has passed, never the limit itself. Each
// clock of the kernel has a file here.
package deadline

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// GivesUp returns when the kernel will abort the socket if its peer and this host
// behave as before: silent, answering with a zero window, refusing. The zero value
// means that it is not known.
//
// GivesUp follows the armed timer to the jiffy. Once ICMP errors have come that
// revert a back-off, it gives the earliest and the latest time. Memory pressure may
// end an orphan earlier, so its answer is the latest time. The kernel never aborts an idle socket
// without keepalive, nor a zero window that the peer keeps confirming.
func GivesUp(s flow.Socket) flow.GivesUp {
	if s.Tick <= 0 || s.RTO <= 0 || s.RTOMax < rtoBase {
		return flow.GivesUp{}
	}
	g := follow(s)
	if g.By = g.At; shaken(s) && g.Known() {
		return between(s, g.At)
	}
	return g
}

// follow follows the clock that runs.
func follow(s flow.Socket) flow.GivesUp {
	switch {
	case s.State == flow.SynSent:
		return connecting(s)
	case s.State == flow.SynRecv:
		return flow.GivesUp{} // the request's own timer, which is not read
	case s.PacketsOut > 0 && s.SendWindow == 0 && !s.Orphan:
		return windowClosed(s)
	case s.PacketsOut > 0:
		return retransmitting(s)
	case s.Pending == flow.TimerProbe:
		return probing(s)
	case s.Orphan, s.Pending != flow.TimerNone, s.AtRisk() > 0, s.FinOutstanding:
		return flow.GivesUp{}
	}
	return idle(s)
}

// maxTimeouts bounds a simulation. Each clock doubles its timeout at most some
// twenty times, counts to 255 at most (the sysctls are a u8, TCP_SYNCNT and
// TCP_KEEPCNT less), or has equidistant firings, which are skipped. Beyond it there
// is no answer.
const maxTimeouts = 1 << 10

// clock turns jiffies into times and back, by the reading of a socket.
type clock struct {
	read    time.Time
	jiffies uint64 // when it was read
	tick    time.Duration
}

func clockOf(s flow.Socket) clock { return clock{read: s.At, jiffies: s.Jiffies, tick: s.Tick} }

func (c clock) time(jiffies uint64) time.Time { return c.read.Add(c.after(jiffies)) }

// after is a time relative to the reading.
func (c clock) after(jiffies uint64) time.Duration {
	return time.Duration(int64(jiffies-c.jiffies)) * c.tick
}

// skipped returns how many jiffies of a time equidistant firings take: the
// simulation continues at the last one in it. A timer that is armed when the
// one before fired, for the same wait, fires at the same distance, because the
// wheel rounds both alike.
func (c clock) skipped(left time.Duration, fires uint64, wait time.Duration) uint64 {
	step := Wheel(fires, fires+c.ticks(wait)) - fires
	if left <= 0 {
		return 0
	}
	return uint64(left/c.tick) / step * step
}

// ticks rounds up, as msecs_to_jiffies does.
func (c clock) ticks(d time.Duration) uint64 { return uint64((d + c.tick - 1) / c.tick) }
