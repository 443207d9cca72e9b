package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func addressReused(e *Evidence, _ flow.Symptom) bool { return reused(e) }

func whyAddressReused(e *Evidence) string {
	f := e.Backend.Former
	return "its peer, the pod " + f.Namespace + "/" + f.Pod + ", is gone" + at(e, f.GoneAt, " since ") + ", and its address " + target(e).Addr().String() +
		" now belongs to " + podName(&e.Backend) + ", which knows nothing of this connection and drops it"
}

// addressTaken: the clocks do not show which of two pods it is, or the pod that
// has the address is younger than the connection, and an agent that started later
// cannot know which pod had it before.
func addressTaken(e *Evidence, _ flow.Symptom) bool {
	b, last := &e.Backend, lastSegment(e)
	if last.IsZero() {
		return false
	}
	if b.Former != nil {
		return b.CreatedAt.After(last)
	}
	return b.Pod != "" && b.State != flow.BackendDeleted && !b.HostNetwork && b.CreatedAt.After(last.Add(clockSkew))
}

func whyAddressTaken(e *Evidence) string {
	f := e.Backend.Former
	if f == nil {
		return "the address " + target(e).Addr().String() + " now belongs to " + podName(&e.Backend) +
			", which was created after the last segment from the peer; which pod had it before is not known"
	}
	return "the address " + target(e).Addr().String() + " belonged to the pod " + f.Namespace + "/" + f.Pod + ", which is gone, and now belongs to " +
		e.Backend.Namespace + "/" + e.Backend.Pod + "; which of them the connection was opened to is not certain"
}

func staleConntrack(e *Evidence, _ flow.Symptom) bool { return redirected(e) && gone(e) }

func whyStaleConntrack(e *Evidence) string {
	return "conntrack still sends this connection to " + target(e).String() + ", the " + podName(&e.Backend) + ", which was deleted" + at(e, e.Backend.Since, " at ")
}

func peerDeleted(e *Evidence, _ flow.Symptom) bool { return !redirected(e) && gone(e) }

func whyPeerDeleted(e *Evidence) string {
	return "its peer " + target(e).String() + ", the " + podName(&e.Backend) + ", was deleted" + at(e, e.Backend.Since, " at ")
}

func peersNodeDown(e *Evidence, _ flow.Symptom) bool {
	return nodeDown(e) && e.Backend.State != flow.BackendDeleted && !answersLately(e)
}

func whyPeersNodeDown(e *Evidence) string {
	return "the node " + e.Backend.Node + " of " + backendName(e) + " is " + string(e.Backend.NodeState) + "; the connection goes on if it comes back"
}

func peerTerminating(e *Evidence, _ flow.Symptom) bool {
	return e.Backend.State == flow.BackendTerminating && !answersLately(e)
}

func whyPeerTerminating(e *Evidence) string {
	return backendName(e) + " is terminating" + at(e, e.Backend.Since, " since ") + " and no longer answers; it is not known to be dead"
}

// conntrackMissing needs a connection that once had an entry (a SYN that this node
// drops never gets one), a node whose nf_conntrack is known to translate Services,
// and a flow that starts on this node: for other flows something else translates,
// or another node did.
func conntrackMissing(e *Evidence, s flow.Symptom) bool {
	return s != flow.Connecting && e.Role == flow.Client && e.Peer.Class == flow.PeerService && e.Conntrack.Missing && e.Conntrack.Zones &&
		e.Translates && (e.Host || e.Local.Pod != "") && !answersLately(e)
}

func whyConntrackMissing(e *Evidence) string {
	if e.Service != nil && e.Service.Backends == 0 {
		return "no conntrack entry translates this connection any more, and the Service has no ready endpoint: what kube-proxy rejects is only a passing error to an established socket"
	}
	return "no conntrack entry translates this connection any more, so its segments meet no backend that knows it"
}

func pathDrop(e *Evidence, s flow.Symptom) bool {
	return answers(e) && (s == flow.Retransmitting || s == flow.Connecting)
}

// smallSegment is what every path carries (RFC 9293, 3.7.1): smaller segments are
// not lost for their size.
const smallSegment = 536

func whyPathDrop(e *Evidence) string {
	answers := place(e) + " answers (last segment at " + clock(e, lastSegment(e)) + "), but the oldest data does not get through"
	if n := e.Socket.Unacknowledged; n > 0 && n <= smallSegment {
		return answers + ": a filter drops what is sent, or the path works one way only"
	}
	return answers + ": something on the path drops large segments (path MTU)"
}

// notSettled: the records say only that the backend left, or the wire contradicts
// them.
func notSettled(e *Evidence, _ flow.Symptom) bool {
	return e.Backend.State == flow.BackendUnlisted || e.Backend.State == flow.BackendDeleted
}

func whyNotSettled(e *Evidence) string {
	if e.Backend.State == flow.BackendUnlisted {
		return backendName(e) + " is " + noLonger(e.Backend.Services) + "; not known to be dead"
	}
	return backendName(e) + " was deleted" + at(e, e.Backend.Since, " at ") + ", but its last segment came at " + clock(e, lastSegment(e)) + ", after that"
}

// untranslated: a Service address without an entry shows only that something else
// translates, or nothing does.
func untranslated(e *Evidence, _ flow.Symptom) bool {
	return e.Role == flow.Client && e.Peer.Class == flow.PeerService && e.Conntrack.Entry == nil
}

func whyUntranslated(e *Evidence) string {
	switch {
	case e.Socket.State == flow.SynSent && e.Conntrack.Missing && e.Translates:
		return "conntrack has no entry for this attempt: its SYN is dropped on this node, by a network policy or a filter, or no process accepts it"
	case e.Conntrack.Err != nil:
		return "which backend serves it is not known, because conntrack could not be asked (" + e.Conntrack.Err.Error() + ")"
	case e.Service != nil && e.Service.Backends == 0:
		return "no conntrack entry translates this Service address, and the Service has no ready endpoint"
	}
	return "no conntrack entry translates this Service address; which backend serves it is not known"
}

func listedAndSilent(e *Evidence, _ flow.Symptom) bool { return e.Backend.State == flow.BackendListed }

func whyListedAndSilent(e *Evidence) string {
	return backendName(e) + " is silent, although it is listed as alive" + nextHop(e)
}

// nextHop names a neighbour that does not answer: the path ends there.
func nextHop(e *Evidence) string {
	if e.Route == nil || e.Route.Neighbour != "FAILED" && e.Route.Neighbour != "INCOMPLETE" {
		return ""
	}
	return "; nor does the next hop on the way there answer (its neighbour entry is " + e.Route.Neighbour + ")"
}

func peerSilent(e *Evidence, _ flow.Symptom) bool {
	return e.Peer.Class == flow.PeerExternal || snat(e)
}

func whyPeerSilent(e *Evidence) string {
	if snat(e) {
		return "no segment comes from " + target(e).String() + ", a node's address: it may stand for a client behind the node's SNAT"
	}
	return "no segment comes from " + place(e) + ", and no cluster record names it: whether it lives is not known here" + nextHop(e)
}

func always(*Evidence, flow.Symptom) bool { return true }

func whyUnknown(e *Evidence) string {
	switch {
	case e.Backend.How != "":
		return "why is not known: " + e.Backend.How
	case !e.Cluster.Up:
		return "why is not known: there are no cluster records (" + e.Cluster.Detail + ")"
	}
	return "why is not known: no record names " + target(e).String()
}
