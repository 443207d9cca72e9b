package diagnosis

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

var peerRefuses = Cause{Name: flow.PeerRefuses, Meaning: "the peer gets the segments, answers them, and does not take them"}

const (
	leastRefusals = 3                      // timeouts before a verdict
	roundTrip     = 200 * time.Millisecond // the least retransmission timeout: what answers within it answers that
)

// sentAgain is how many segments follow one timeout at most: an answer that acknowledges nothing lets
// two new ones out (F-RTO, RFC 5682).
const sentAgain = 3

// answersEach is true if the peer sends an acknowledgement of nothing new for each
// retransmission, within a round trip, and nothing else.
func answersEach(e *Evidence, s flow.Symptom) bool {
	k := &e.Socket
	if s != flow.Retransmitting || k.NeverAcked || k.SackedOut > 0 || k.Timeouts < leastRefusals || k.LastReceive.After(k.Since) {
		return false
	}
	after, underWay := k.LastAck.Sub(k.Sent), k.At.Sub(k.Sent) < roundTrip
	if k.LastAck.Before(k.Since) || after > roundTrip || after < -2*k.Tick && !underWay {
		return false
	}
	return int(k.SegmentsIn) <= sentAgain*k.Timeouts+1
}

func whyPeerRefuses(e *Evidence) string {
	return place(e) + " answers each retransmission (" + phrase.Count(int(e.Socket.SegmentsIn), "answer", "answers") + ", the last at " + clock(e, e.Socket.LastAck) +
		") and acknowledges nothing: it gets the segments and does not take them (timestamps that run backwards, another connection on this port, sequence numbers that do not fit)"
}

func advisePeerRefuses(e *Evidence) []flow.Advice {
	return bounded(e,
		now("See why, on the peer's node, by the counter that grows with each retransmission:\nnstat -az TcpExtPAWSEstab TcpExtTCPACKSkippedPAWS TcpExtTCPACKSkippedSeq TcpExtTCPChallengeACK"),
		kill(e),
		forGood("Look for what changes timestamps or sequence numbers on the way: a proxy, a gateway that gives one port to two connections, a checkpoint that restored a socket."))
}
