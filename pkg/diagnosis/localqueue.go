package diagnosis

import "github.com/tcpstuck/tcpstuck/pkg/flow"

var localQueue = Cause{Name: flow.LocalQueue, Meaning: "a queue of this host holds or drops what is sent", Here: true}

// queuedHere leaves out a next hop that does not answer: its neighbour's queue holds the
// segments then, and the cause is the way or the peer.
func queuedHere(e *Evidence, _ flow.Symptom) bool {
	switch hindered(&e.Socket) {
	case byQueue:
		return true
	case inQueue:
		return nextHop(e) == ""
	}
	return false
}

func queuedByNode(e *Evidence, s flow.Symptom) bool { return queuedOnTheWay(e, s) != nil }

// queuedOnTheWay returns what a queue of this node dropped of segments that have left their socket.
func queuedOnTheWay(e *Evidence, s flow.Symptom) *flow.Drop {
	if !leftItsSocket(e, s) {
		return nil
	}
	return droppedBy(e, false, queues...)
}

func whyLocalQueue(e *Evidence) string {
	if d := queuedOnTheWay(e, symptom(&e.Socket)); d != nil {
		return "a queue of this node drops what the socket sends: " + droppedAt(e, d)
	}
	if hindered(&e.Socket) == byQueue {
		return "a queue of this host drops what the socket sends: it is full, or a filter on it (tc, BPF) drops segments"
	}
	return "its last segment still waits in a queue of this host (EBUSY): a traffic shaper holds it, or the interface does not send"
}

func adviseLocalQueue(e *Evidence) []flow.Advice {
	prefix := inside(e)
	return bounded(e,
		now("Look for a queue whose backlog or drops grow:\n"+prefix+"tc -s qdisc show\n"+prefix+"ip -s link"),
		now("Look for a filter on it:\n"+prefix+"bpftool net"))
}
