package diagnosis

import (
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func slowReader(e *Evidence, s flow.Symptom) bool { return s == flow.ZeroWindow && windowConfirmed(e) }

func whySlowReader(e *Evidence) string {
	why := "the peer answers, but with a receive window of zero: the application at " + place(e) + " has stopped reading"
	if u := e.Upstream; u != nil {
		why += "; in the same pod " + u.Owner + " is itself stuck on the way to " + u.Peer + " (" + string(u.Cause) + ")"
	}
	return why
}

// beforeTheFirst is true of a socket whose data never left this host. Its
// errno is not kept anywhere. The routes show the reason, but only in the node's
// own namespace.
func beforeTheFirst(e *Evidence) bool { return e.Socket.PacketsOut == 0 && e.Host && e.Route != nil }

func localFilter(e *Evidence, s flow.Symptom) bool {
	if s != flow.LocalDrop {
		return false
	}
	return syscall.Errno(e.Socket.SendErr) == syscall.EPERM || beforeTheFirst(e) && e.Route.Err == ""
}

func whyLocalFilter(e *Evidence) string {
	if e.Socket.SendErr == 0 {
		return "this host drops what the socket sends although there is a route: a filter in its OUTPUT path, or its queueing discipline"
	}
	return "a filter in this host's OUTPUT path refuses what the socket sends (EPERM)"
}

func noRoute(e *Evidence, s flow.Symptom) bool {
	if s != flow.LocalDrop {
		return false
	}
	return unrouted(&e.Socket) || beforeTheFirst(e) && e.Route.Err != ""
}

func whyNoRoute(e *Evidence) string {
	how := Errno(e.Socket.SoftErr)
	if e.Host && e.Route != nil && e.Route.Err != "" {
		how = refusal(*e.Route)
	}
	return "routing on this host refuses the way to " + target(e).Addr().String() + " (" + how + ")"
}

func localDrop(_ *Evidence, s flow.Symptom) bool { return s == flow.LocalDrop }

func whyLocalDrop(e *Evidence) string {
	if e.Socket.SendErr == 0 {
		return "nothing that it sends leaves its network namespace: dropped inside the pod's namespace, by a route or a filter there"
	}
	return "this host refuses what it sends (" + Errno(e.Socket.SendErr) + ")"
}
