package deadline

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// connecting follows tcp_write_timeout in SYN_SENT. The clock starts at the
// first SYN, and the first retransmissions may be linear
// (net.ipv4.tcp_syn_linear_timeouts, 6.5): they add to the count, and while
// they last the timeout does not double.
func connecting(s flow.Socket) flow.GivesUp {
	if s.RetransStamp.IsZero() {
		return flow.GivesUp{}
	}
	limit := s.UserTimeout
	if limit == 0 {
		limit = Model(s.SynRetries, synBase, max(s.RTOMax, synBase))
	}
	t := newTimer(s, s.Retransmits > s.SynLinear)
	for range maxTimeouts {
		if t.retransmits >= s.SynRetries+s.SynLinear || (t.retransmits > 0 && t.elapsed() >= limit) {
			return flow.GivesUp{At: t.time(t.fires)}
		}
		t.retransmit(t.retransmits+1 > s.SynLinear)
	}
	return flow.GivesUp{}
}
