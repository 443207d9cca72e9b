package diagnosis

import (
	"net/netip"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var noRoute = Cause{Name: flow.NoRoute, Meaning: "this host has no route", Here: true}

func noWayOut(e *Evidence, _ flow.Symptom) bool {
	return hindered(&e.Socket) == byRoute || beforeTheFirst(e) && e.Route.Err != ""
}

// notPassedOn is true if packets leave their own network namespace, and this node's routes
// refuse them. Without an entry, the address that they go to is not known where a Service is
// translated.
func notPassedOn(e *Evidence, s flow.Symptom) bool {
	if e.Route == nil || e.Route.In == "" || e.Route.Err == "" || answersLately(e) {
		return false
	}
	if e.Peer.Class == flow.PeerService && e.Conntrack.Entry == nil {
		return false
	}
	return s == flow.Retransmitting || s == flow.Connecting
}

// refused returns the address that routing refuses. In a pod's own namespace nothing is
// translated yet.
func refused(e *Evidence) netip.Addr {
	if e.Route != nil && e.Route.Err != "" {
		return target(e).Addr()
	}
	return e.Socket.Remote.Addr()
}

func whyNoRoute(e *Evidence) string {
	to := refused(e).String()
	switch {
	case e.Host && e.Route != nil && e.Route.Err != "":
		return "routing on this host refuses the way to " + to + " (" + refusal(*e.Route) + ")"
	case e.Host:
		return "routing on this host refuses the way to " + to + " (" + Errno(e.Socket.SoftErr) + ")"
	}
	return "routing in its own network namespace refuses the way to " + e.Socket.Remote.Addr().String() + " (" + Errno(e.Socket.SoftErr) + ")"
}

func whyNotPassedOn(e *Evidence) string {
	return "routing on this host refuses to pass on what comes from " + e.Route.Src.String() + " by " + e.Route.In + " to " + refused(e).String() +
		" (" + refusal(*e.Route) + ")"
}

func adviseNoRoute(e *Evidence) []flow.Advice {
	from := " from " + e.Socket.Local.Addr().String()
	if e.Host {
		return bounded(e, now("See the refusal:\nip route get "+refused(e).String()+from+"\nip rule"))
	}
	prefix := inside(e)
	return bounded(e, now("See the refusal:\n"+prefix+"ip route get "+e.Socket.Remote.Addr().String()+from+"\n"+prefix+"ip rule"))
}

func adviseNotPassedOn(e *Evidence) []flow.Advice {
	return bounded(e, now("See the refusal, on this node:\nip route get "+refused(e).String()+" from "+e.Route.Src.String()+" iif "+e.Route.In+"\nip rule"))
}
