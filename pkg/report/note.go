package report

import (
	"cmp"
	"fmt"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Note says an event in two sentences that stay the same from one connection
// of an owner to the next: no address, no time, no number that changes. The
// second says how to learn more.
func Note(kind flow.EventType, f flow.Finding) string {
	var what string
	list := "dump --ended"
	switch kind {
	case flow.EventRecovered:
		what = "makes progress again"
	case flow.EventDataLost:
		what = lost(f) + ": " + diagnosis.Meaning(f.Cause)
	case flow.EventEnded:
		what = lost(f) + ", for it was stuck until it ended: " + diagnosis.Meaning(f.Cause)
	default:
		what, list = fmt.Sprintf("is stuck (%s): %s", f.Symptom, diagnosis.Meaning(f.Cause)), "dump"
	}
	return fmt.Sprintf("%s %s %s. See kubectl tcpstuck %s --nodes %s", noteOwner(f.Local), notePeer(f), what, list, f.Node)
}

func lost(f flow.Finding) string {
	if f.Unsent > 0 {
		return "lost data"
	}
	return "may have lost data"
}

// noteOwner leaves out the pod, which the event is about anyway.
func noteOwner(l flow.Local) string {
	if l.Pod != "" {
		return "Its connection"
	}
	return "A connection of " + cmp.Or(l.Comm, "an unknown process") + " on this node"
}

func notePeer(f flow.Finding) string {
	name := noteName(f)
	switch {
	case f.Role == flow.Server:
		return fmt.Sprintf("from %s to its port %d", name, f.Local.Addr.Port())
	case f.Peer.Service != "":
		return "to " + name
	case f.Role == flow.Client:
		return fmt.Sprintf("to %s, port %d,", name, f.Peer.Addr.Port())
	}
	return "with " + name // either port may be the ephemeral one
}

func noteName(f flow.Finding) string {
	b := flow.Backend{}
	if f.Backend != nil {
		b = *f.Backend
	}
	switch {
	case f.Peer.Service != "":
		return peer(f.Peer)
	case f.Peer.Name != "":
		return f.Peer.Name
	case b.Pod != "":
		return "pod " + b.Namespace + "/" + b.Pod
	case f.Peer.Class == flow.PeerSelf:
		return "a process in the same network namespace"
	case f.Peer.Class == flow.PeerNode:
		return cmp.Or(b.Node, "a node of the cluster")
	case f.Peer.Class == flow.PeerPod:
		return "a pod that is not known any more"
	}
	return "a peer outside the cluster"
}
