package events

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// The reasons of Kubernetes Events. The cause follows that of a stuck flow:
// TCPStuckStaleConntrack.
const (
	reasonStuck     = "TCPStuck"
	reasonDataLost  = "TCPDataLost"
	reasonRecovered = "TCPStuckRecovered"
	reasonMore      = "TCPStuckMore"
)

// kubernetesEvent returns an event in the cluster's form. Flows that are only at
// risk, and the agent's own sources, are reported elsewhere.
func kubernetesEvent(ev flow.Event) (kube.Event, bool) {
	out := kube.Event{Warning: true}
	f := ev.Flow
	switch ev.Type {
	case flow.EventStuck, flow.EventRevised:
		out.Reason = reasonStuck + string(f.Cause)
	case flow.EventRecovered:
		out.Reason, out.Warning = reasonRecovered, false
	case flow.EventDataLost:
		out.Reason = reasonDataLost
	case flow.EventEnded:
		if f.Outcome == "" || f.Unsent == 0 && f.Unacknowledged == 0 {
			return kube.Event{}, false
		}
		out.Reason = reasonDataLost
	default:
		return kube.Event{}, false
	}
	out.Note = report.Note(ev.Type, *f)
	if f.Local.Pod != "" {
		out.Pod = kube.PodRef{Namespace: f.Local.Namespace, Name: f.Local.Pod, UID: f.Local.PodUID}
	}
	if f.Peer.Service != "" {
		out.Service = f.Peer.Namespace + "/" + f.Peer.Service
	}
	return out, true
}

// kubernetesSum stands for events that are not reported one by one.
func kubernetesSum(node string) kube.Event {
	return kube.Event{
		Reason: reasonMore, Warning: true,
		Note: "More connections of this node were found stuck, lost data or recovered than are reported one by one. See kubectl tcpstuck dump --nodes " + node,
	}
}
