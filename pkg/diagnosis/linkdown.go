package diagnosis

import "github.com/tcpstuck/tcpstuck/pkg/flow"

var linkDown = Cause{Name: flow.LinkDown, Meaning: "an interface of this host does not work", Here: true}

// wayIsDead leaves out what is known to be gone anyway, unless this host refuses to send.
func wayIsDead(e *Evidence, s flow.Symptom) bool {
	if e.Route == nil || e.Route.Dead == "" || s == flow.HalfOpen || answersLately(e) {
		return false
	}
	return hindered(&e.Socket) != unhindered || !gone(e) && !reused(e)
}

func whyLinkDown(e *Evidence) string {
	is := " is down"
	if e.Route.NoCarrier {
		is = " has no carrier"
	}
	return "the interface " + e.Route.Dead + " of this host" + is + ": nothing gets through it"
}

func adviseLinkDown(e *Evidence) []flow.Advice {
	return bounded(e, now("See the state of the interface, and since when:\nip -s link show "+e.Route.Dead+"\ndmesg -T"))
}
