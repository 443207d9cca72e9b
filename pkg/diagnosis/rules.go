package diagnosis

import (
	"fmt"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Verdict is what the evidence amounts to.
type Verdict struct {
	Decision
	Sentence string
	Advice   []flow.Advice
	Evidence []flow.Evidence
}

// rule is one row of the table. why completes "… has had no answer since …: ".
type rule struct {
	cause  flow.Cause
	holds  func(Evidence, flow.Symptom) bool
	why    func(Evidence) string
	advice func(Evidence) []flow.Advice
}

// table is in the order in which it decides. It is never written.
var table = []rule{
	{flow.SlowReader, slowReader, whySlowReader, adviseSlowReader},
	{flow.Unknown, localDrop, whyLocalDrop, adviseUnknown},
	{flow.Unknown, addressTaken, whyAddressTaken, adviseUnknown},
	{flow.StaleConntrack, staleConntrack, whyStaleConntrack, adviseStaleConntrack},
	{flow.PeerDeleted, peerDeleted, whyPeerDeleted, advisePeerDeleted},
	{flow.PeerUnreachable, peersNodeDown, whyPeersNodeDown, advisePeerUnreachable},
	{flow.Unknown, stillAnswers, whyStillAnswers, adviseUnknown},
	{flow.Unknown, notSettled, whyNotSettled, adviseUnknown},
	{flow.Unknown, untranslated, whyUntranslated, adviseUnknown},
	{flow.PeerUnreachable, listedAndSilent, whyListedAndSilent, advisePeerUnreachable},
	{flow.PeerSilent, peerSilent, whyPeerSilent, advisePeerSilent},
	{flow.Unknown, always, whyUnknown, adviseUnknown},
}

// Decision is the part of a verdict that other things hang on; it costs no
// more than the predicates.
type Decision struct {
	Symptom flow.Symptom
	Cause   flow.Cause
	Mute    flow.Mute
	// AtOnce is true where the flow need not be watched any longer before it
	// is reported: its backend is gone.
	AtOnce bool
}

// Decide returns what Judge decides, without its words.
func Decide(e Evidence) Decision {
	d, _ := decide(e)
	return d
}

func decide(e Evidence) (Decision, rule) {
	d := Decision{Symptom: Symptom(e.Socket), Mute: Mute(e.Socket, e.Role, e.Peer.Class)}
	for _, r := range table {
		if r.holds(e, d.Symptom) {
			d.Cause = r.cause
			d.AtOnce = r.cause == flow.StaleConntrack || r.cause == flow.PeerDeleted
			return d, r
		}
	}
	panic("the last rule always holds")
}

// Judge returns the verdict on a flow.
func Judge(e Evidence) Verdict {
	d, r := decide(e)
	return Verdict{Decision: d, Sentence: sentence(e, d.Symptom, r.why(e)), Advice: r.advice(e), Evidence: record(e)}
}

func slowReader(e Evidence, s flow.Symptom) bool { return s == flow.ZeroWindow && windowConfirmed(e) }

func whySlowReader(e Evidence) string {
	return fmt.Sprintf("the peer answers, but with a receive window of zero: whoever reads on %s has stopped reading", place(e))
}

func localDrop(_ Evidence, s flow.Symptom) bool { return s == flow.LocalDrop }

func whyLocalDrop(e Evidence) string {
	if e.Socket.SendErr == 0 {
		return "nothing that it sends leaves its network namespace: a route or a filter there drops it"
	}
	return fmt.Sprintf("this host refuses what it sends (%s)", Errno(e.Socket.SendErr))
}

func addressTaken(e Evidence, _ flow.Symptom) bool {
	return e.Backend.Former != nil && e.Backend.CreatedAt.After(e.Socket.LastAck)
}

func whyAddressTaken(e Evidence) string {
	f := e.Backend.Former
	return fmt.Sprintf("the address %s belonged to the pod %s/%s, which is gone, and now belongs to %s/%s; which of them the connection was opened to is not certain",
		e.Target().Addr(), f.Namespace, f.Pod, e.Backend.Namespace, e.Backend.Pod)
}

func staleConntrack(e Evidence, _ flow.Symptom) bool { return e.redirected() && e.gone() }

func whyStaleConntrack(e Evidence) string {
	return fmt.Sprintf("conntrack still sends this connection to %s, the %s, which was deleted%s",
		e.Target(), podName(e.Backend), at(e.Backend.Since, " at "))
}

func peerDeleted(e Evidence, _ flow.Symptom) bool { return !e.redirected() && e.gone() }

func whyPeerDeleted(e Evidence) string {
	return fmt.Sprintf("its peer %s, the %s, was deleted%s", e.Target(), podName(e.Backend), at(e.Backend.Since, " at "))
}

func peersNodeDown(e Evidence, _ flow.Symptom) bool {
	return e.nodeDown() && e.Backend.State != flow.BackendDeleted && !e.answers()
}

func whyPeersNodeDown(e Evidence) string {
	return fmt.Sprintf("the node %s of %s is %s; the connection goes on if it comes back", e.Backend.Node, backendName(e), e.Backend.NodeState)
}

func stillAnswers(e Evidence, _ flow.Symptom) bool { return e.answers() }

func whyStillAnswers(e Evidence) string {
	return fmt.Sprintf("%s was heard at %s, after progress stopped, but the oldest data does not get through", place(e), clock(e.Socket.LastAck))
}

// notSettled: the records are between two states, or know no more than that
// the backend left.
func notSettled(e Evidence, _ flow.Symptom) bool {
	switch e.Backend.State {
	case flow.BackendTerminating, flow.BackendUnlisted, flow.BackendDeleted:
		return true
	}
	return false
}

func whyNotSettled(e Evidence) string {
	switch e.Backend.State {
	case flow.BackendTerminating:
		return fmt.Sprintf("%s is terminating%s and does not answer; not known to be dead", backendName(e), at(e.Backend.Since, " since "))
	case flow.BackendUnlisted:
		return fmt.Sprintf("%s is %s; not known to be dead", backendName(e), noLonger(e.Backend.Services))
	}
	return fmt.Sprintf("%s was deleted%s, but was heard at %s, after that", backendName(e), at(e.Backend.Since, " at "), clock(e.Socket.LastAck))
}

// untranslated: a Service address without an entry says only that something
// else translates, or nothing does.
func untranslated(e Evidence, _ flow.Symptom) bool {
	return e.Role == flow.Client && e.Peer.Class == flow.PeerService && e.Conntrack.Entry == nil
}

func whyUntranslated(e Evidence) string {
	switch {
	case e.Conntrack.Err != nil:
		return fmt.Sprintf("which backend serves it is not known, because conntrack could not be asked (%v)", e.Conntrack.Err)
	case e.Service != nil && e.Service.Backends == 0:
		return "no conntrack entry translates this Service address, and the Service has no ready endpoint"
	}
	return "no conntrack entry translates this Service address; which backend serves it is not known"
}

func listedAndSilent(e Evidence, _ flow.Symptom) bool { return e.Backend.State == flow.BackendListed }

func whyListedAndSilent(e Evidence) string {
	return fmt.Sprintf("%s is silent, although it is listed as alive", backendName(e))
}

func peerSilent(e Evidence, _ flow.Symptom) bool {
	return e.Peer.Class == flow.PeerExternal || e.snat()
}

func whyPeerSilent(e Evidence) string {
	if e.snat() {
		return fmt.Sprintf("nothing is heard from %s, a node's address: a client behind its SNAT may stand there", e.Target())
	}
	return fmt.Sprintf("nothing is heard from %s, which is outside the cluster, so no record tells whether it lives", place(e))
}

func always(Evidence, flow.Symptom) bool { return true }

func whyUnknown(e Evidence) string {
	switch {
	case e.Backend.How != "":
		return fmt.Sprintf("why is not known: %s", e.Backend.How)
	case !e.Cluster.Up:
		return fmt.Sprintf("why is not known: there are no cluster records (%s)", e.Cluster.Detail)
	}
	return fmt.Sprintf("why is not known: no record names %s", e.Target())
}
