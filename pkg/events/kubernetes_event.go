package events

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// The reasons of Kubernetes Events. That of a stuck flow has its cause behind
// it: TCPStuckStaleConntrack.
const (
	reasonStuck     = "TCPStuck"
	reasonDataLost  = "TCPDataLost"
	reasonRecovered = "TCPStuckRecovered"
	reasonMore      = "TCPStuckMore"
)

// kubernetesEvent returns what a cluster is told of an event. Flows that are
// only at risk, and the agent's own sources, are for others to tell.
func kubernetesEvent(ev flow.Event) (kube.Event, bool) {
	told := kube.Event{Warning: true}
	f := ev.Flow
	switch ev.Type {
	case flow.EventStuck, flow.EventRevised:
		told.Reason = reasonStuck + string(f.Cause)
	case flow.EventRecovered:
		told.Reason, told.Warning = reasonRecovered, false
	case flow.EventDataLost:
		told.Reason = reasonDataLost
	case flow.EventEnded:
		if f.Outcome == "" || f.Unsent == 0 && f.Unacknowledged == 0 {
			return kube.Event{}, false
		}
		told.Reason = reasonDataLost
	default:
		return kube.Event{}, false
	}
	told.Note = report.Note(ev.Type, *f)
	if f.Local.Pod != "" {
		told.Pod = kube.PodRef{Namespace: f.Local.Namespace, Name: f.Local.Pod, UID: f.Local.PodUID}
	}
	if f.Peer.Service != "" {
		told.Service = f.Peer.Namespace + "/" + f.Peer.Service
	}
	return told, true
}

// kubernetesSum stands for what is not told one by one.
func kubernetesSum(node string) kube.Event {
	return kube.Event{
		Reason: reasonMore, Warning: true,
		Note: "More connections of this node were found stuck, lost data or recovered than are told one by one. See kubectl tcpstuck dump --nodes " + node,
	}
}
