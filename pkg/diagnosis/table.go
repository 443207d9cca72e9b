package diagnosis

import (
	"slices"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Cause is what is known of a cause without any evidence.
type Cause struct {
	Name    flow.Cause
	Meaning string // half a sentence for a reader who sees the name for the first time
	Here    bool   // it is on this host
	Gone    bool   // it says that the backend is gone
	Records bool   // it follows from records of the cluster
}

// Page returns the section on the cause in docs, relative to the top folder.
func (c Cause) Page() string { return "docs/causes.md#" + strings.ToLower(string(c.Name)) }

// rule is one row of the table. why completes "… has had no answer since …: ".
type rule struct {
	Cause
	holds  func(*Evidence, flow.Symptom) bool
	why    func(*Evidence) string
	advice func(*Evidence) []flow.Advice
}

// table is in order of precedence: the first rule that holds decides. Several rules may have
// one cause. The table is never written.
var table = []rule{
	{closedUnread, lostClosedUnread, whyClosedUnread, adviseDrain},
	{dataAfterClose, lostDataAfterClose, whyDataAfterClose, adviseDrain},
	{resetByPeer, lostResetByPeer, whyResetByPeer, adviseResetByPeer},
	{slowReader, windowShut, whySlowReader, adviseSlowReader},
	{addressLost, fromNowhere, whyAddressLost, adviseAddressLost},
	{linkDown, wayIsDead, whyLinkDown, adviseLinkDown},
	{localFilter, filteredHere, whyLocalFilter, adviseLocalFilter},
	{localQueue, queuedHere, whyLocalQueue, adviseLocalQueue},
	{noRoute, noWayOut, whyNoRoute, adviseNoRoute},
	{unknown, localDrop, whyLocalDrop, adviseUnknown},
	{acceptQueueFull, notAccepted, whyAcceptQueueFull, adviseAcceptQueueFull},
	{answersDropped, repliesLost, whyAnswersDropped, adviseAnswersDropped},
	{addressReused, anotherHasIt, whyAddressReused, adviseAddressReused},
	{unknown, addressTaken, whyAddressTaken, adviseUnknown},
	{staleConntrack, redirectedToGone, whyStaleConntrack, adviseStaleConntrack},
	{peerDeleted, directedToGone, whyPeerDeleted, advisePeerDeleted},
	{peerUnreachable, peersNodeDown, whyPeersNodeDown, advisePeerUnreachable},
	{peerTerminating, terminatingAndSilent, whyPeerTerminating, advisePeerTerminating},
	{noRoute, notPassedOn, whyNotPassedOn, adviseNotPassedOn},
	{conntrackMissing, translatedByNone, whyConntrackMissing, adviseConntrackMissing},
	{localFilter, filteredByNode, whyLocalFilter, adviseLocalFilter},
	{localQueue, queuedByNode, whyLocalQueue, adviseLocalQueue},
	{peerRefuses, answersEach, whyPeerRefuses, advisePeerRefuses},
	{pathDrop, oneWay, whyPathDrop, advisePathDrop},
	{routerRejects, rejected, whyRouterRejects, adviseRouterRejects},
	{unknown, notSettled, whyNotSettled, adviseUnknown},
	{unknown, untranslated, whyUntranslated, adviseUnknown},
	{peerUnreachable, listedAndSilent, whyListedAndSilent, advisePeerUnreachable},
	{peerSilent, silentAndUnnamed, whyPeerSilent, advisePeerSilent},
	{unknown, always, whyUnknown, adviseUnknown},
}

// Causes returns every cause once.
func Causes() []Cause {
	var all []Cause
	for i := range table {
		if !slices.Contains(all, table[i].Cause) {
			all = append(all, table[i].Cause)
		}
	}
	return all
}

// Meaning returns a cause in half a sentence. A cause that this version does not know, of a
// newer agent, has none.
func Meaning(c flow.Cause) string {
	for i := range table {
		if table[i].Name == c {
			return table[i].Meaning
		}
	}
	return "this version of tcpstuck does not know the cause"
}
