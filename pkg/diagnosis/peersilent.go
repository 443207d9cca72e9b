package diagnosis

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

var peerSilent = Cause{Name: flow.PeerSilent, Meaning: "the peer does not answer, and no cluster record names it"}

func silentAndUnnamed(e *Evidence, _ flow.Symptom) bool {
	return (e.Peer.Class == flow.PeerExternal || snat(e)) && !answersLately(e)
}

func whyPeerSilent(e *Evidence) string {
	if snat(e) {
		return "no segment comes from " + target(e).String() + ", a node's address: it may stand for a client behind the node's SNAT"
	}
	return "no segment comes from " + place(e) + ", and no cluster record names it: whether it lives is not known here" + idleBefore(e) + nextHop(e) + probed(e) + onlyFull(e)
}

// longIdle is how long a connection has to be idle before a gateway may have forgotten it.
const longIdle = time.Minute

// wasIdle returns how long nothing had come from the peer when data was sent that nobody
// acknowledged; 0: not for long.
func wasIdle(e *Evidence) time.Duration {
	last := lastSegment(e)
	if symptom(&e.Socket) != flow.Retransmitting || last.IsZero() || e.Socket.Since.Sub(last) < longIdle {
		return 0
	}
	return e.Socket.Since.Sub(last)
}

func idleBefore(e *Evidence) string {
	if wasIdle(e) == 0 {
		return ""
	}
	return "; it had been idle for " + phrase.Duration(wasIdle(e)) + " before the first write that nobody acknowledged"
}

func advisePeerSilent(e *Evidence) []flow.Advice {
	ask := now("Ask whoever runs " + place(e) + " whether it lives, and look at firewalls and NAT gateways between: they forget idle connections.")
	all := bounded(e, ask, kill(e))
	if wasIdle(e) > 0 {
		all = append(all, forGood("Set keepalive (TCP_KEEPIDLE) to less than the idle time-out of each gateway on the way: 350 s at AWS, 240 s at Azure."))
	}
	return all
}
