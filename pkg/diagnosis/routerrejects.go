package diagnosis

import (
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var routerRejects = Cause{Name: flow.RouterRejects, Meaning: "somebody on the way answers what is sent with ICMP"}

// rejected is true if an ICMP error has come (sk_err_soft) that is not this host's own about a
// next hop that does not answer.
func rejected(e *Evidence, s flow.Symptom) bool {
	if s != flow.Retransmitting && s != flow.Connecting || e.Socket.SoftErr == 0 || hindered(&e.Socket) != unhindered || nextHop(e) != "" {
		return false
	}
	return syscall.Errno(e.Socket.SoftErr) != syscall.EHOSTUNREACH || fromAfar(e)
}

// fromAfar reports whether EHOSTUNREACH cannot be this host's own: it knows the next hop, which
// answers. A pod whose peer is on the same link asks for it itself, and nobody sees that here.
func fromAfar(e *Evidence) bool {
	r := e.Route
	if r == nil || r.Neighbour == "" {
		return false
	}
	return e.Host || r.In != "" && r.In != r.Interface
}

func whyRouterRejects(e *Evidence) string {
	name := Errno(e.Socket.SoftErr)
	return "somebody on the way to " + target(e).String() + " answers with ICMP, " + says(e.Socket.SoftErr) + ": a router or a firewall there refuses the segments. The application reads " +
		name + " when the kernel gives up"
}

// says returns what an ICMP error means (icmp_err_convert, icmpv6_err_convert).
func says(errno int) string {
	switch syscall.Errno(errno) {
	case syscall.ECONNREFUSED:
		return "port unreachable"
	case syscall.EHOSTUNREACH:
		return "host unreachable or prohibited"
	case syscall.ENETUNREACH:
		return "network unreachable"
	case syscall.EACCES:
		return "prohibited"
	}
	return "an error"
}

func adviseRouterRejects(e *Evidence) []flow.Advice {
	return bounded(e,
		now("See who answers, while the kernel sends again:\n"+inside(e)+"tcpdump -ni any \"icmp or icmp6\""),
		now("Look there for a reject rule, and for a route that is missing."))
}
