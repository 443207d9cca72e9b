package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var conntrackMissing = Cause{Name: flow.ConntrackMissing, Meaning: "no conntrack entry translates the Service address any more", Records: true}

// translatedByNone needs a connection that once had an entry (a SYN that this node
// drops never gets one), a node whose nf_conntrack is known to translate Services,
// and a flow that starts on this node: for other flows something else translates,
// or another node did.
func translatedByNone(e *Evidence, s flow.Symptom) bool {
	return s != flow.Connecting && e.Role == flow.Client && e.Peer.Class == flow.PeerService && e.Conntrack.Missing && e.Conntrack.Zones &&
		e.Translates && (e.Host || e.Local.Pod != "") && !answersLately(e)
}

func whyConntrackMissing(e *Evidence) string {
	if e.Service != nil && e.Service.Backends == 0 {
		return "no conntrack entry translates this connection any more, and the Service has no ready endpoint: what kube-proxy rejects is only a passing error to an established socket"
	}
	return "no conntrack entry translates this connection any more, so its segments meet no backend that knows it"
}

func adviseConntrackMissing(e *Evidence) []flow.Advice {
	if e.Service != nil && e.Service.Backends == 0 {
		see := now("kubectl get endpointslices -n " + e.Peer.Namespace + " -l kubernetes.io/service-name=" + e.Peer.Service)
		return bounded(e, see, kill(e))
	}
	return bounded(e, kill(e))
}
