package diagnosis

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Verdict is the conclusion from the evidence.
type Verdict struct {
	Decision
	Sentence string
	Advice   []flow.Advice
	Evidence []flow.Evidence
}

// rule is one row of the table. why completes "… has had no answer since …: ".
type rule struct {
	cause  flow.Cause
	holds  func(*Evidence, flow.Symptom) bool
	why    func(*Evidence) string
	advice func(*Evidence) []flow.Advice
}

// table is in order of precedence. It is never written.
var table = []rule{
	{flow.SlowReader, slowReader, whySlowReader, adviseSlowReader},
	{flow.LocalFilter, localFilter, whyLocalFilter, adviseLocalFilter},
	{flow.NoRoute, noRoute, whyNoRoute, adviseNoRoute},
	{flow.Unknown, localDrop, whyLocalDrop, adviseUnknown},
	{flow.AddressReused, addressReused, whyAddressReused, adviseAddressReused},
	{flow.Unknown, addressTaken, whyAddressTaken, adviseUnknown},
	{flow.StaleConntrack, staleConntrack, whyStaleConntrack, adviseStaleConntrack},
	{flow.PeerDeleted, peerDeleted, whyPeerDeleted, advisePeerDeleted},
	{flow.PeerUnreachable, peersNodeDown, whyPeersNodeDown, advisePeerUnreachable},
	{flow.PeerTerminating, peerTerminating, whyPeerTerminating, advisePeerTerminating},
	{flow.ConntrackMissing, conntrackMissing, whyConntrackMissing, adviseConntrackMissing},
	{flow.PathDrop, pathDrop, whyPathDrop, advisePathDrop},
	{flow.Unknown, notSettled, whyNotSettled, adviseUnknown},
	{flow.Unknown, untranslated, whyUntranslated, adviseUnknown},
	{flow.PeerUnreachable, listedAndSilent, whyListedAndSilent, advisePeerUnreachable},
	{flow.PeerSilent, peerSilent, whyPeerSilent, advisePeerSilent},
	{flow.Unknown, always, whyUnknown, adviseUnknown},
}

// Decision is the part of a verdict that other decisions need. It costs only the
// predicates.
type Decision struct {
	Symptom    flow.Symptom
	Cause      flow.Cause
	Suppressed flow.Suppression
	// AtOnce is true if the flow need not be watched any longer before it is
	// reported: its backend is gone.
	AtOnce bool
	// Healthy is true of an idle flow whose backend is not gone: it is no finding.
	Healthy bool
}

// Decide returns what Judge decides, without its words. Neither changes the evidence, nor
// keeps it.
func Decide(e *Evidence) Decision {
	d, _ := decide(e)
	return d
}

func decide(e *Evidence) (Decision, rule) {
	if e.End != nil {
		r := truncation(e)
		return Decision{Symptom: flow.Truncated, Cause: r.cause, Suppressed: suppressTruncated(e)}, r
	}
	d := Decision{Symptom: symptom(&e.Socket), Suppressed: suppress(&e.Socket, e.Role, e.Peer.Class)}
	for _, r := range table {
		if r.holds(e, d.Symptom) {
			d.Cause = r.cause
			d.AtOnce = backendGone(r.cause) && d.Symptom != flow.Connecting
			if d.Symptom == flow.HalfOpen {
				d.halfOpen(e)
			}
			return d, r
		}
	}
	panic("the last rule always holds")
}

// backendGone reports whether a cause says that the backend is gone.
func backendGone(c flow.Cause) bool {
	return c == flow.StaleConntrack || c == flow.PeerDeleted || c == flow.AddressReused
}

// lastFIN is how long after a removal the pod's FIN may still come: a force-deleted
// container lives two seconds more.
const lastFIN = 5 * time.Second

// halfOpen: an idle flow has no symptom of its own, so it is a finding only
// while its backend is gone, and at first only at risk.
func (d *Decision) halfOpen(e *Evidence) {
	d.Healthy = !d.AtOnce
	removed := e.Removed()
	if removed.IsZero() {
		removed = e.Backend.Since
	}
	if d.Suppressed == "" && e.Now.Sub(removed) < lastFIN {
		d.Suppressed = flow.SuppressedAtRisk
	}
}

// Judge returns the verdict on a flow.
func Judge(e *Evidence) Verdict {
	d, r := decide(e)
	return Verdict{Decision: d, Sentence: sentence(e, d.Symptom, r.why(e)), Advice: r.advice(e), Evidence: record(e)}
}
