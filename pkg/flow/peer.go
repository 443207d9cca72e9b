package flow

import (
	"net/netip"
)

// PeerClass is the kind of a flow's remote address.
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

// Peer is the far end as the socket sees it.
type Peer struct {
	Class     PeerClass      `json:"class" zero:"null"`
	Addr      netip.AddrPort `json:"address"`
	Namespace string         `json:"namespace" zero:"null"`
	Service   string         `json:"service" zero:"null"`
	Name      string         `json:"name" zero:"null"` // the --name label of an external peer
}
