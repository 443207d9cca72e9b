package diagnosis

import (
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Symptom returns what a socket without progress does, by the kernel fields that
// distinguish the cases.
func Symptom(s flow.Socket) flow.Symptom { return symptom(&s) }

func symptom(s *flow.Socket) flow.Symptom {
	switch {
	case s.State == flow.SynSent:
		return flow.Connecting
	case s.SendWindow == 0:
		return flow.ZeroWindow
	case keptHere(s):
		return flow.LocalDrop
	case refusedHere(s):
		return flow.LocalDrop
	case s.PacketsOut == 0 || s.Retransmits == 0 && s.Backoff == 0 && s.Timeouts == 0:
		return flow.HalfOpen // nothing has timed out on it: it is a suspect because of its backend
	}
	return flow.Retransmitting
}

// keptHere reports whether no waiting data ever left this host. While the persist
// timer's handler runs no timer is armed (tcp_write_timer_handler), and a reading
// may meet that: then the timeout before it shows it.
func keptHere(s *flow.Socket) bool {
	if s.PacketsOut > 0 {
		return false
	}
	return s.Pending == flow.TimerProbe || s.Timeouts > 0 && s.Unsent > 0
}

// refusedHere reports whether this host refused the last transmission: a
// filter (EPERM), or routing (EHOSTUNREACH with a soft error of the route's
// own kind; a failed neighbour leaves EHOSTUNREACH there as well, and is no
// refusal).
func refusedHere(s *flow.Socket) bool {
	return syscall.Errno(s.SendErr) == syscall.EPERM || unrouted(s)
}

func unrouted(s *flow.Socket) bool {
	switch syscall.Errno(s.SoftErr) {
	case syscall.EINVAL, syscall.ENETUNREACH, syscall.EACCES:
		// Up to Linux 6.16 a failed retransmission shows no errno, only that
		// nothing was retransmitted.
		return syscall.Errno(s.SendErr) == syscall.EHOSTUNREACH || s.SendErr == 0 && s.RetransOut == 0 && s.Timeouts > 0
	}
	return false
}

// windowConfirmed reports whether the peer really answers with a zero window:
// an acknowledgement resets icsk_probes_out, and a window that closed with
// data in flight is judged by the last segment from the peer.
func windowConfirmed(e *Evidence) bool {
	s := &e.Socket
	if s.PacketsOut == 0 {
		return s.ProbesOut <= 1
	}
	return !lastSegment(e).IsZero() && silence(e) <= s.RTO+settled
}

// Suppress returns why a flow is suppressed, or "" if it is to be reported.
func Suppress(s flow.Socket, role flow.Role, class flow.PeerClass) flow.Suppression {
	return suppress(&s, role, class)
}

func suppress(s *flow.Socket, role flow.Role, class flow.PeerClass) flow.Suppression {
	open := s.State == flow.SynSent || s.State == flow.Established || s.State == flow.CloseWait
	if s.AtRisk() == 0 && (!open || s.Orphan) {
		return flow.SuppressedClosing
	}
	if role == flow.Server && class == flow.PeerExternal {
		return flow.SuppressedExternalClient
	}
	return ""
}
