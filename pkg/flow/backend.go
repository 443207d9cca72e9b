package flow

import (
	"net/netip"
	"time"
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

// Backend is where packets really go.
type Backend struct {
	Addr      netip.AddrPort `json:"address"`
	Namespace string         `json:"namespace" zero:"null"`
	Pod       string         `json:"pod" zero:"null"`
	Node      string         `json:"node" zero:"null"`
	State     BackendState   `json:"state"`
	Since     time.Time      `json:"since"` // when it came into State, as far as was seen
}
