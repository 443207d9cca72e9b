package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var peerUnreachable = Cause{Name: flow.PeerUnreachable, Meaning: "the backend does not answer, and is not known to be dead", Records: true}

func peersNodeDown(e *Evidence, _ flow.Symptom) bool {
	return nodeDown(e) && e.Backend.State != flow.BackendDeleted && !answersLately(e)
}

func whyPeersNodeDown(e *Evidence) string {
	return "the node " + e.Backend.Node + " of " + backendName(e) + " is " + string(e.Backend.NodeState) + "; the connection goes on if it comes back"
}

func listedAndSilent(e *Evidence, _ flow.Symptom) bool {
	return e.Backend.State == flow.BackendListed && !answersLately(e)
}

func whyListedAndSilent(e *Evidence) string {
	return backendName(e) + " is silent, although it is listed as alive" + nextHop(e) + probed(e) + onlyFull(e)
}

// nextHop names a neighbour that does not answer: the path ends there.
func nextHop(e *Evidence) string {
	if e.Route == nil || e.Route.Neighbour != "FAILED" && e.Route.Neighbour != "INCOMPLETE" {
		return ""
	}
	return "; nor does the next hop on the way there answer (its neighbour entry is " + e.Route.Neighbour + ")"
}

func advisePeerUnreachable(e *Evidence) []flow.Advice {
	look := now("Nothing here is known to be dead: do not delete anything. Look at the way to " + target(e).String() + " first.")
	if e.Backend.Node == "" {
		return bounded(e, look)
	}
	return bounded(e, look, now("kubectl describe node "+e.Backend.Node))
}
