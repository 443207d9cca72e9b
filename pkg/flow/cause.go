package flow

// Cause is why the flow is stuck.
type Cause string

// The causes, in the contract's order.
const (
	SlowReader       Cause = "SlowReader"
	LocalFilter      Cause = "LocalFilter"
	LocalQueue       Cause = "LocalQueue"
	NoRoute          Cause = "NoRoute"
	AddressLost      Cause = "AddressLost"
	LinkDown         Cause = "LinkDown"
	AnswersDropped   Cause = "AnswersDropped"
	AcceptQueueFull  Cause = "AcceptQueueFull"
	AddressReused    Cause = "AddressReused"
	StaleConntrack   Cause = "StaleConntrack"
	PeerDeleted      Cause = "PeerDeleted"
	PeerTerminating  Cause = "PeerTerminating"
	ConntrackMissing Cause = "ConntrackMissing"
	PathDrop         Cause = "PathDrop"
	RouterRejects    Cause = "RouterRejects"
	PeerRefuses      Cause = "PeerRefuses"
	PeerUnreachable  Cause = "PeerUnreachable"
	PeerSilent       Cause = "PeerSilent"
	ClosedUnread     Cause = "ClosedUnread"
	DataAfterClose   Cause = "DataAfterClose"
	ResetByPeer      Cause = "ResetByPeer"
	Unknown          Cause = "Unknown"
)

// Causes returns every cause, in the contract's order.
func Causes() []Cause {
	return []Cause{
		SlowReader, LocalFilter, LocalQueue, NoRoute, AddressLost, LinkDown, AnswersDropped, AcceptQueueFull, AddressReused, StaleConntrack, PeerDeleted,
		PeerTerminating, ConntrackMissing, PathDrop, RouterRejects, PeerRefuses, PeerUnreachable, PeerSilent,
		ClosedUnread, DataAfterClose, ResetByPeer, Unknown,
	}
}
