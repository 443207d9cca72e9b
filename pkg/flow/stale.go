package flow

import (
	"net/netip"
	"time"
)

// StaleEntry is a conntrack entry that outlived its flow: it still leads to a
// backend that was deleted, and no socket of this node is stuck on it.
type StaleEntry struct {
	Client    netip.AddrPort `json:"client"`
	Service   netip.AddrPort `json:"service"`
	Backend   netip.AddrPort `json:"backend"`
	Namespace string         `json:"namespace"` // of the backend's pod; empty: not known
	Pod       string         `json:"pod"`
	DeletedAt time.Time      `json:"deleted_at"`
	ExpiresAt time.Time      `json:"expires_at"` // if nothing refreshes it until then
	Command   string         `json:"command"`    // deletes exactly this entry
}
