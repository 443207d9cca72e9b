package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var noRoute = Cause{Name: flow.NoRoute, Meaning: "this host has no route"}

func noWayOut(e *Evidence, s flow.Symptom) bool {
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

func adviseNoRoute(e *Evidence) []flow.Advice {
	return bounded(e, now(inside(e)+"ip route get "+target(e).Addr().String()))
}
