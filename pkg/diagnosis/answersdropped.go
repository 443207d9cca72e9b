package diagnosis

import "github.com/tcpstuck/tcpstuck/pkg/flow"

var answersDropped = Cause{Name: flow.AnswersDropped, Meaning: "answers reach this node and are dropped before the socket", Here: true}

// repliesLost is true if conntrack has seen what the socket has not, or the kernel has dropped
// answers.
func repliesLost(e *Evidence, s flow.Symptom) bool {
	if heard(e) || s != flow.Retransmitting && s != flow.Connecting {
		return false
	}
	return e.Conntrack.Replied || droppedBy(e, true, refuses...) != nil
}

func whyAnswersDropped(e *Evidence) string {
	if d := droppedBy(e, true, refuses...); d != nil {
		by := "a filter"
		if d.Reason == "IP_RPFILTER" {
			by = "reverse-path filtering"
		}
		return "the peer's answers reach this node, and " + by + " here drops them before the socket: " + droppedAt(e, d)
	}
	what := "the acknowledgement of all that was sent"
	if e.Socket.State == flow.SynSent {
		what = "the answer to the SYN"
	}
	return "conntrack on this node has seen " + what + ", and the socket has not: a filter here drops what comes from the peer (INPUT, FORWARD, BPF), or reverse-path filtering does"
}

func adviseAnswersDropped(e *Evidence) []flow.Advice {
	all := []flow.Advice{
		now("See, on this node, whether reverse-path filtering drops them (the counter grows), or a rule does:\n" + lookForDrops("")),
		now("Look for a BPF program on its interface or cgroup:\nbpftool net\nbpftool cgroup tree"),
	}
	if prefix := inside(e); prefix != "" && !e.Host {
		all = append(all, now("The same in its own network namespace:\n"+lookForDrops(prefix)))
	}
	return bounded(e, all...)
}

func lookForDrops(prefix string) string {
	return prefix + "nstat -az TcpExtIPReversePathFilter\n" + prefix + "nft list ruleset"
}
