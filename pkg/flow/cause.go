package flow

// Cause is why the flow is stuck.
type Cause string

// The causes, in the contract's order.
const (
	SlowReader       Cause = "SlowReader"
	LocalFilter      Cause = "LocalFilter"
	NoRoute          Cause = "NoRoute"
	AddressReused    Cause = "AddressReused"
	StaleConntrack   Cause = "StaleConntrack"
	PeerDeleted      Cause = "PeerDeleted"
	PeerTerminating  Cause = "PeerTerminating"
	ConntrackMissing Cause = "ConntrackMissing"
	PathDrop         Cause = "PathDrop"
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
		SlowReader, LocalFilter, NoRoute, AddressReused, StaleConntrack, PeerDeleted,
		PeerTerminating, ConntrackMissing, PathDrop, PeerUnreachable, PeerSilent,
		ClosedUnread, DataAfterClose, ResetByPeer, Unknown,
	}
}
