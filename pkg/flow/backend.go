package flow

import (
	"encoding/json"
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

// UnmarshalJSON reads what a finding's MarshalJSON wrote.
func (b *Backend) UnmarshalJSON(text []byte) error {
	type plain Backend
	in := struct {
		*plain
		Address netip.Addr `json:"address"`
		Port    uint16     `json:"port"`
	}{plain: (*plain)(b)}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	b.Addr = netip.AddrPortFrom(in.Address, in.Port)
	return nil
}
