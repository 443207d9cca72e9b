package diagnosis

import (
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var localFilter = Cause{Name: flow.LocalFilter, Meaning: "a filter on this host drops what is sent"}

// beforeTheFirst is true of a socket whose data never left this host. Its
// errno is not kept anywhere. The routes show the reason, but only in the node's
// own namespace.
func beforeTheFirst(e *Evidence) bool { return e.Socket.PacketsOut == 0 && e.Host && e.Route != nil }

func filteredHere(e *Evidence, s flow.Symptom) bool {
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

func adviseLocalFilter(e *Evidence) []flow.Advice {
	prefix := inside(e)
	return bounded(e, now(prefix+"nft list ruleset"), now(prefix+"tc -s qdisc show"))
}
