package diagnosis

import "github.com/tcpstuck/tcpstuck/pkg/flow"

var localFilter = Cause{Name: flow.LocalFilter, Meaning: "a filter on this host drops what is sent", Here: true}

// beforeTheFirst is true of a socket whose data never left this host. Its
// errno is not kept anywhere. The routes show the reason, but only in the node's
// own namespace.
func beforeTheFirst(e *Evidence) bool {
	return hindered(&e.Socket) == unexplained && e.Host && e.Route != nil
}

func filteredHere(e *Evidence, _ flow.Symptom) bool {
	return hindered(&e.Socket) == byFilter || beforeTheFirst(e) && e.Socket.PacketsOut == 0 && e.Route.Err == ""
}

func filteredByNode(e *Evidence, s flow.Symptom) bool { return filteredOnTheWay(e, s) != nil }

// filteredOnTheWay returns what the kernel dropped of segments that have left their socket: a policy
// in FORWARD, a program on an interface.
func filteredOnTheWay(e *Evidence, s flow.Symptom) *flow.Drop {
	if !leftItsSocket(e, s) {
		return nil
	}
	return droppedBy(e, false, filters...)
}

func whyLocalFilter(e *Evidence) string {
	if d := filteredOnTheWay(e, symptom(&e.Socket)); d != nil {
		return "a filter or policy on this node drops what the socket sends: " + droppedAt(e, d)
	}
	if e.Socket.SendErr == 0 {
		return "this host drops what the socket sends although there is a route: a filter in its OUTPUT path, or its queueing discipline"
	}
	return "a filter in this host's OUTPUT path refuses what the socket sends (EPERM)"
}

func adviseLocalFilter(e *Evidence) []flow.Advice {
	prefix := inside(e)
	return bounded(e,
		now("Look for a drop rule whose counter moves:\n"+where(e, prefix)+"nft list ruleset"),
		now("Look for a BPF program on its cgroup, or on its interface:\nbpftool cgroup tree\n"+prefix+"bpftool net\n"+prefix+"tc -s qdisc show"))
}

// where leaves out the socket's own namespace if its segments have left that.
func where(e *Evidence, prefix string) string {
	if filteredOnTheWay(e, symptom(&e.Socket)) != nil {
		return ""
	}
	return prefix
}
