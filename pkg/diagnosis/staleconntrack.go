package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var staleConntrack = Cause{Name: flow.StaleConntrack, Meaning: "conntrack still sends it to a backend that is gone", Gone: true, Records: true}

func redirectedToGone(e *Evidence, _ flow.Symptom) bool { return redirected(e) && gone(e) }

func whyStaleConntrack(e *Evidence) string {
	return "conntrack still sends this connection to " + target(e).String() + ", the " + podName(&e.Backend) + ", which was deleted" + at(e, e.Backend.Since, " at ")
}

// adviseStaleConntrack: deleting the entry cures a socket that still sends. It does
// nothing for an idle socket, and does harm while there is no backend to go to.
func adviseStaleConntrack(e *Evidence) []flow.Advice {
	if symptom(&e.Socket) == flow.HalfOpen {
		return bounded(e, kill(e))
	}
	remove := now(e.Conntrack.Entry.DeleteCommand())
	if e.Service != nil && e.Service.Backends == 0 {
		wait := now("First wait until " + place(e) + " has a ready endpoint: without one kube-proxy rejects the next segment, which an established socket takes for a passing error.")
		return bounded(e, wait, remove)
	}
	then := "the next retransmission reach a living backend, which resets the connection: its owner reads ECONNRESET and can reconnect"
	if e.Socket.State == flow.SynSent {
		then = "the next SYN reach a living backend: the connection comes about"
	}
	look := now("That lets " + then + ". Look again afterwards: where kube-proxy has not yet dropped the dead backend from its rules, the flow is sent there anew.")
	return bounded(e, remove, look)
}
