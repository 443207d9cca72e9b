package deadline

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// windowClosed follows tcp_rtx_probe0_timed_out: the peer closed its window
// with data in flight, so retransmissions serve as probes. tcp_retries2 plays
// no part. Two times count: since the last segment from the peer, and since the
// head was first sent in vain. A user timeout bounds only the second, even
// while the peer answers (6.11, and stable kernels since).
func windowClosed(s flow.Socket) flow.GivesUp {
	answered := s.Pending == flow.TimerRetransmit && !s.LastAck.IsZero() && !s.LastAck.Before(s.Sent)
	if answered && s.UserTimeout == 0 {
		return flow.GivesUp{Never: true}
	}
	silence := 2 * s.RTOMax
	if s.UserTimeout > 0 {
		silence = min(silence, s.UserTimeout)
	}
	t := newTimer(s, true)
	for range maxTimeouts {
		if s.UserTimeout > 0 && t.begun && t.elapsed() > s.UserTimeout {
			return flow.GivesUp{At: t.time(t.fires)}
		}
		silent := t.time(t.expires).Sub(s.LastAck)
		if !answered && t.begun && silent > silence && t.elapsed() > silence {
			return flow.GivesUp{At: t.time(t.fires)}
		}
		t.retransmit(true)
		if answered {
			t.skip(s.UserTimeout)
		}
	}
	return flow.GivesUp{}
}
