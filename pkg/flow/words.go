// Package flow is tcpstuck's vocabulary as types. It imports the standard
// library only, so that every other package can speak it.
package flow

// Role tells which end of the connection a socket of this node is.
type Role string

// The roles. An unknown role is the empty string.
const (
	Client Role = "client" // it connected
	Server Role = "server" // it was accepted
)

// PeerClass tells what kind of thing the remote address of a flow is.
type PeerClass string

// The peer classes. No record can exist for an external peer, so nothing may
// be concluded from having none.
const (
	PeerService  PeerClass = "service"
	PeerPod      PeerClass = "pod"
	PeerNode     PeerClass = "node"
	PeerSelf     PeerClass = "self" // same namespace or loopback
	PeerExternal PeerClass = "external"
)

// BackendState is what the cluster's records say of a backend. Only
// BackendDeleted means gone.
type BackendState string

// The five backend states.
const (
	BackendListed      BackendState = "listed"
	BackendTerminating BackendState = "terminating"
	BackendUnlisted    BackendState = "unlisted" // in no slice any more, nothing else known
	BackendDeleted     BackendState = "deleted"
	BackendUnknown     BackendState = "unknown"
)

// Symptom is what the socket does.
type Symptom string

// The symptoms.
const (
	Retransmitting Symptom = "Retransmitting"
	Connecting     Symptom = "Connecting"
	ZeroWindow     Symptom = "ZeroWindow"
	LocalDrop      Symptom = "LocalDrop"
	HalfOpen       Symptom = "HalfOpen"
	Truncated      Symptom = "Truncated"
)

// Symptoms returns every symptom, in the contract's order.
func Symptoms() []Symptom {
	return []Symptom{Retransmitting, Connecting, ZeroWindow, LocalDrop, HalfOpen, Truncated}
}

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

// Outcome is how a finding ended. The empty string means that it has not
// ended or, with an end time, that its end was not seen.
type Outcome string

// The outcomes.
const (
	Recovered  Outcome = "Recovered"
	TimedOut   Outcome = "TimedOut" // the kernel gave up, whatever the errno
	Reset      Outcome = "Reset"
	Closed     Outcome = "Closed"
	Remediated Outcome = "Remediated"
)

// Outcomes returns every outcome, in the contract's order.
func Outcomes() []Outcome {
	return []Outcome{Recovered, TimedOut, Reset, Closed, Remediated}
}

// Mute says why a finding is counted but neither listed nor made an event.
// The empty string means that it is reported.
type Mute string

// The reasons to count a finding only.
const (
	// MuteExternalClient is an accepted socket whose client outside the
	// cluster vanished: every node that serves the internet holds many.
	MuteExternalClient Mute = "external-client"
	// MuteClosing is a socket that has nothing outstanding but its FIN: no
	// application can lose anything by it, and it ends by itself.
	MuteClosing Mute = "closing"
	// MuteAtRisk is an idle flow whose backend was deleted a moment ago: its
	// FIN may still be under way.
	MuteAtRisk Mute = "at-risk"
)
