package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// unknown is the cause when evidence is missing or contradicts itself. Each of its rules says
// which evidence that is.
var unknown = Cause{Name: flow.Unknown, Meaning: "evidence is missing"}

func localDrop(e *Evidence, _ flow.Symptom) bool { return hindered(&e.Socket) == unexplained }

func whyLocalDrop(e *Evidence) string {
	if e.Socket.PacketsOut == 0 {
		return "nothing that it sends leaves its network namespace: dropped inside the pod's namespace, by a route or a filter there"
	}
	return "nothing that it repeats leaves its network namespace: a filter, a queue or a route there; which one, the kernel says from Linux 6.17 on"
}

// addressTaken: the clocks do not show which of two pods it is, or the pod that
// has the address is younger than the connection, and an agent that started later
// cannot know which pod had it before.
func addressTaken(e *Evidence, _ flow.Symptom) bool {
	b, last := &e.Backend, lastSegment(e)
	if last.IsZero() {
		return false
	}
	if b.Former != nil {
		return b.CreatedAt.After(last)
	}
	return b.Pod != "" && b.State != flow.BackendDeleted && !b.HostNetwork && b.CreatedAt.After(last.Add(clockSkew))
}

func whyAddressTaken(e *Evidence) string {
	f := e.Backend.Former
	if f == nil {
		return "the address " + target(e).Addr().String() + " now belongs to " + podName(&e.Backend) +
			", which was created after the last segment from the peer; which pod had it before is not known"
	}
	return "the address " + target(e).Addr().String() + " belonged to the pod " + f.Namespace + "/" + f.Pod + ", which is gone, and now belongs to " +
		e.Backend.Namespace + "/" + e.Backend.Pod + "; which of them the connection was opened to is not certain"
}

// notSettled: the records say only that the backend left, or the wire contradicts
// them.
func notSettled(e *Evidence, _ flow.Symptom) bool {
	return e.Backend.State == flow.BackendUnlisted || e.Backend.State == flow.BackendDeleted
}

func whyNotSettled(e *Evidence) string {
	if e.Backend.State == flow.BackendUnlisted {
		return backendName(e) + " is " + noLonger(e.Backend.Services) + "; not known to be dead"
	}
	return backendName(e) + " was deleted" + at(e, e.Backend.Since, " at ") + ", but its last segment came at " + clock(e, lastSegment(e)) + ", after that"
}

// untranslated: a Service address without an entry shows only that something else
// translates, or nothing does.
func untranslated(e *Evidence, _ flow.Symptom) bool {
	return e.Role == flow.Client && e.Peer.Class == flow.PeerService && e.Conntrack.Entry == nil
}

func whyUntranslated(e *Evidence) string {
	switch {
	case e.Socket.State == flow.SynSent && e.Conntrack.Missing && e.Translates:
		return "conntrack has no entry for this attempt: its SYN is dropped on this node, by a network policy or a filter, or no process accepts it"
	case e.Conntrack.Err != nil:
		return "which backend serves it is not known, because conntrack could not be asked (" + e.Conntrack.Err.Error() + ")"
	case e.Service != nil && e.Service.Backends == 0:
		return "no conntrack entry translates this Service address, and the Service has no ready endpoint"
	}
	return "no conntrack entry translates this Service address; which backend serves it is not known"
}

func always(*Evidence, flow.Symptom) bool { return true }

func whyUnknown(e *Evidence) string {
	switch {
	case answersLately(e):
		return "why is not known: the peer answers (last segment at " + clock(e, lastSegment(e)) + "), and nothing shows why it takes no more"
	case e.Backend.How != "":
		return "why is not known: " + e.Backend.How
	case !e.Cluster.Up:
		return "why is not known: there are no cluster records (" + e.Cluster.Detail + ")"
	}
	return "why is not known: no record names " + target(e).String()
}

func adviseUnknown(e *Evidence) []flow.Advice {
	return bounded(e, now("Look at the socket as the kernel shows it:\n"+inside(e)+"ss -tinop "+filter(&e.Socket)))
}
