package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var peerSilent = Cause{Name: flow.PeerSilent, Meaning: "the peer does not answer, and no cluster record names it"}

func silentAndUnnamed(e *Evidence, _ flow.Symptom) bool {
	return e.Peer.Class == flow.PeerExternal || snat(e)
}

func whyPeerSilent(e *Evidence) string {
	if snat(e) {
		return "no segment comes from " + target(e).String() + ", a node's address: it may stand for a client behind the node's SNAT"
	}
	return "no segment comes from " + place(e) + ", and no cluster record names it: whether it lives is not known here" + nextHop(e)
}

func advisePeerSilent(e *Evidence) []flow.Advice {
	ask := now("Ask whoever runs " + place(e) + " whether it lives, and look at firewalls and NAT gateways between: they forget idle connections.")
	return bounded(e, ask, kill(e))
}
