package diagnosis

import (
	"slices"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// leastDrops are enough to blame: one segment may be dropped for any reason.
const leastDrops = 2

// droppedBy returns the most frequent drop of a direction for one of some reasons, or of reasons
// that begin so; nil: there is none. Reasons are names of the running kernel.
func droppedBy(e *Evidence, answers bool, reasons ...string) *flow.Drop {
	if e.Drops == nil {
		return nil
	}
	var worst *flow.Drop
	for i := range e.Drops.Seen {
		d := &e.Drops.Seen[i]
		fits := slices.ContainsFunc(reasons, func(r string) bool { return strings.HasPrefix(d.Reason, r) })
		if d.Answers == answers && fits && d.Count >= leastDrops && (worst == nil || d.Count > worst.Count) {
			worst = d
		}
	}
	return worst
}

// filters are the reasons for which rules and programs drop; queues those of queues.
var (
	filters = []string{"NETFILTER_DROP", "TC_EGRESS", "TC_INGRESS", "BPF_CGROUP_EGRESS", "XDP", "SOCKET_FILTER"}
	queues  = []string{"QDISC_DROP", "CPU_BACKLOG", "FULL_RING"}
	refuses = []string{"IP_RPFILTER", "NETFILTER_DROP", "TC_INGRESS", "XDP", "SOCKET_FILTER"}
)

// leftItsSocket reports whether segments have left their socket and nobody answers: only then does
// it say anything that this node drops them. What is known to be gone is gone, whoever drops.
func leftItsSocket(e *Evidence, s flow.Symptom) bool {
	sends := s == flow.Retransmitting || s == flow.Connecting
	return sends && hindered(&e.Socket) == unhindered && !answersLately(e) && !gone(e) && !reused(e)
}

// dropAnswer says in evidence what was dropped.
func dropAnswer(e *Evidence) string {
	if len(e.Drops.Seen) == 0 {
		return "none by this node's software"
	}
	var all []string
	for _, d := range e.Drops.Seen {
		of := "of its segments"
		if d.Answers {
			of = "of its peer's segments"
		}
		all = append(all, phrase.Number(d.Count)+" "+of+": "+d.Reason+" in "+d.Place+", last at "+phrase.Time(d.LastAt, e.Now))
	}
	return strings.Join(all, "; ")
}

// droppedAt says how many segments the kernel dropped, and where.
func droppedAt(e *Evidence, d *flow.Drop) string {
	return phrase.Count(d.Count, "segment", "segments") + " since " + clock(e, e.Drops.Since) + ", " + d.Reason + " in " + d.Place
}
