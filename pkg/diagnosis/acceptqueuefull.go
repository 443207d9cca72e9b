package diagnosis

import (
	"strconv"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

var acceptQueueFull = Cause{Name: flow.AcceptQueueFull, Meaning: "the listener is on this host and does not accept", Here: true}

// notAccepted: the kernel drops a SYN, or the end of a handshake, for which no room is left.
func notAccepted(e *Evidence, s flow.Symptom) bool {
	return e.Listener != nil && (s == flow.Connecting || s == flow.Retransmitting && e.Socket.NeverAcked)
}

func whyAcceptQueueFull(e *Evidence) string {
	l := e.Listener
	return "its listener on this node, " + l.Owner + ", does not accept: " + phrase.Count(int(l.Waiting), "connection waits", "connections wait") + ", of " +
		phrase.Number(l.Most) + " allowed"
}

func adviseAcceptQueueFull(e *Evidence) []flow.Advice {
	inside := ""
	if pid := e.Listener.PID; pid != 0 {
		inside = "nsenter -t " + strconv.FormatUint(uint64(pid), 10) + " -n "
	}
	return bounded(e,
		now("Find out what "+e.Listener.Owner+" does instead of accepting (a stack trace). Its queue:\n"+inside+"ss -tlnp sport = :"+strconv.Itoa(int(target(e).Port()))),
		forGood("Accept in a thread of its own, and give listen() a backlog for bursts; net.core.somaxconn bounds it."))
}
