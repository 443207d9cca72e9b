package diagnosis

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// Symptom returns what a socket without progress does, by the kernel fields that
// distinguish the cases.
func Symptom(s flow.Socket) flow.Symptom { return symptom(&s) }

func symptom(s *flow.Socket) flow.Symptom {
	switch {
	case s.State == flow.SynSent:
		return flow.Connecting
	case s.SendWindow == 0:
		return flow.ZeroWindow
	case hindered(s) != unhindered:
		return flow.LocalDrop
	case s.PacketsOut == 0 || s.Retransmits == 0 && s.Backoff == 0 && s.Timeouts == 0:
		return flow.HalfOpen // nothing has timed out on it: it is a suspect because of its backend
	}
	return flow.Retransmitting
}

// leastProbes are unanswered keepalive probes that mean something: the last one may be under way.
const leastProbes = 2

// unanswered returns how many keepalive probes of an idle socket have no answer, if they are enough.
func unanswered(s *flow.Socket) int {
	if symptom(s) != flow.HalfOpen || !s.Keepalive || s.ProbesOut < leastProbes {
		return 0
	}
	return s.ProbesOut
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
