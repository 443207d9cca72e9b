package deadline

import (
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// shaken reports whether ICMP errors have come of the kind that takes a back-off back (RFC 6069,
// tcp_ld_RTO_revert): network or host unreachable and, over IPv6, no route. Each one brings the
// next retransmission forward, so nobody knows when the later ones will be.
func shaken(s flow.Socket) bool {
	if s.State == flow.SynSent || s.PacketsOut == 0 || s.SendWindow == 0 || s.SendErr != 0 {
		return false
	}
	switch syscall.Errno(s.SoftErr) {
	case syscall.ENETUNREACH:
		return true
	case syscall.EHOSTUNREACH:
		return s.Remote.Addr().Is4()
	}
	return false
}

// between returns the earliest and the latest time at which a socket dies whose clock may be
// shaken: followed is when it dies without another ICMP error. It dies at the first firing past
// the limit. Between two firings there is a timeout, and that has grown from the present one by
// doubling since now: it is no longer than the time since, and the next timeout.
func between(s flow.Socket, followed time.Time) flow.GivesUp {
	if s.RetransStamp.IsZero() {
		return flow.GivesUp{At: followed, By: followed.Add(s.RTOMax)}
	}
	past := s.RetransStamp.Add(limit(s, s.RTO))
	gap := min(s.RTOMax, max(0, past.Sub(s.At))+2*s.RTO)
	gap += gap/8 + s.Tick // the timer wheel
	at, by := past, past.Add(gap)
	if at.Before(s.At) {
		at = s.At
	}
	if followed.Before(at) {
		at = followed
	}
	if followed.After(by) {
		by = followed
	}
	return flow.GivesUp{At: at, By: by}
}
