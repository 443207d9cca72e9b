package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var slowReader = Cause{Name: flow.SlowReader, Meaning: "the peer is alive and does not read"}

func windowShut(e *Evidence, s flow.Symptom) bool { return s == flow.ZeroWindow && windowConfirmed(e) }

func whySlowReader(e *Evidence) string {
	why := "the peer answers, but with a receive window of zero: the application at " + place(e) + " has stopped reading"
	if u := e.Upstream; u != nil {
		why += "; in the same pod " + u.Owner + " is itself stuck on the way to " + u.Peer + " (" + string(u.Cause) + ")"
	}
	return why
}

func adviseSlowReader(e *Evidence) []flow.Advice {
	return []flow.Advice{
		now("Find out why the reader at " + target(e).String() + " has stopped: a stack trace of that process, or its own stuck upstream."),
		forGood("Give the application a write timeout: TCP_USER_TIMEOUT also bounds a zero window, but kills readers that are merely slow."),
	}
}
