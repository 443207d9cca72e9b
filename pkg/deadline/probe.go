package deadline

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	// congested is TCP_RESOURCE_PROBE_INTERVAL, the pause after a probe that
	// this host's own queue dropped; such a probe does not back off.
	congested = 500 * time.Millisecond
	// maxShift is how often a probe's interval doubles at most
	// (tcp_probe0_when).
	maxShift = 10
)

// probing follows tcp_probe_timer: nothing is in flight, and a zero window or
// this host holds the data back. Each acknowledgement resets the count of
// probes, so a window that the peer keeps confirming is probed for ever,
// unless the socket has a user timeout or is an orphan.
func probing(s flow.Socket) flow.GivesUp {
	p := newProbe(s)
	if p.answered && s.UserTimeout == 0 && !s.Orphan && !p.dead() {
		return flow.GivesUp{Never: true}
	}
	for range maxTimeouts {
		if p.dead() {
			return flow.GivesUp{At: p.time(p.fires)}
		}
		p.send()
		if !p.steady() {
			continue
		}
		if p.userTimeout == 0 {
			return flow.GivesUp{Never: true}
		}
		p.fires += p.skipped(p.userTimeout-p.time(p.fires).Sub(p.began), p.fires, p.wait())
	}
	return flow.GivesUp{}
}

// probe is the persist timer of a socket, moved from one firing to the next.
type probe struct {
	clock
	s           flow.Socket
	answered    bool // the peer confirms its zero window
	dropped     bool // a full queue of this host takes the probes
	out         int  // probes without an answer
	backoff     int
	began       time.Time // when the timer first fired; zero: not yet
	fires       uint64
	userTimeout time.Duration
}

func newProbe(s flow.Socket) *probe {
	dropped := s.Backoff == 0 && s.ProbesOut > 0
	p := &probe{
		clock: clockOf(s), s: s, dropped: dropped, answered: s.SendWindow == 0 && s.ProbesOut <= 1 && !dropped,
		out: s.ProbesOut, backoff: s.Backoff, began: s.ProbesStamp, userTimeout: s.UserTimeout,
		fires: bucket(s.TimerJiffies, s.TimerLevel),
	}
	if p.answered {
		p.out = 0
	}
	return p
}

// dead reports whether the timer's next firing aborts the socket.
func (p *probe) dead() bool {
	if p.userTimeout > 0 && !p.began.IsZero() && p.time(p.fires).Sub(p.began) >= p.userTimeout {
		return true
	}
	if !p.s.Orphan {
		return p.out >= p.s.Retries2
	}
	alive := p.s.RTO<<min(p.backoff, maxShift) < p.s.RTOMax
	retries := orphanRetries(p.s, alive)
	return p.out >= retries || (!alive && p.backoff >= retries)
}

// steady reports whether another firing changes nothing but the time, if this one
// does not abort the socket.
func (p *probe) steady() bool { return p.answered && p.backoff >= p.s.Retries2 && !p.dead() }

// wait is the distance of the next probe, a user timeout aside.
func (p *probe) wait() time.Duration {
	if p.dropped {
		return congested
	}
	return min(max(p.s.RTO, rtoBase)<<min(p.backoff, maxShift), p.s.RTOMax)
}

// send is what a firing does to a socket that lives on (tcp_send_probe0).
func (p *probe) send() {
	if p.began.IsZero() {
		p.began = p.time(p.fires)
	}
	if !p.answered {
		p.out++
	}
	if !p.dropped && p.backoff < p.s.Retries2 {
		p.backoff++
	}
	wait := p.wait()
	if p.userTimeout > 0 { // tcp_clamp_probe0_to_user_timeout
		wait = min(wait, max(p.userTimeout-p.time(p.fires).Sub(p.began), 2*p.tick))
	}
	p.fires = Wheel(p.fires, p.fires+p.ticks(wait))
}
