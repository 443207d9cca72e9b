package cluster

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Backend is what the records say of the address that packets go to. Empty
// fields are not known.
type Backend struct {
	Addr           netip.AddrPort
	Namespace, Pod string
	PodUID         string
	Node           string
	NodeState      NodeState
	HostNetwork    bool // the address is a node's: no other pod gets it
	State          flow.BackendState
	Since          time.Time // when State was first seen; zero: not known
	How            string    // one clause of evidence for State
	Services       []string  // namespace/name of those that list it at this port, or did last; sorted
	CreatedAt      time.Time // of the pod
	// Former is the pod that had the address before the one above, and is
	// gone; nil: none is remembered.
	Former *Former
	// Unread is true if only a slice says that the pod above has Former's
	// address: its own record, which says since when, was not read yet.
	Unread bool
	// Unverified is true if the pod above is gone, and only a slice says that it
	// had the address.
	Unverified bool
}

// Former is a pod that had an address and is gone.
type Former struct {
	Namespace, Pod string
	UID            string
	Node           string
	CreatedAt      time.Time
	GoneAt         time.Time // when it was seen to be deleted, or to finish
}

// Flow returns the backend as a finding carries it.
func (b Backend) Flow() flow.Backend {
	return flow.Backend{Addr: b.Addr, Namespace: b.Namespace, Pod: b.Pod, Node: b.Node, State: b.State, Since: b.Since}
}

// addStatus adds what the pod's own record says.
func (b *Backend) addStatus(status podStatus) {
	if !status.created.IsZero() {
		b.CreatedAt = status.created
	}
	if b.Node == "" {
		b.Node = status.node
	}
}

// setUnknown withdraws a judgement, and keeps it as evidence.
func (b *Backend) setUnknown(why string, since time.Time) {
	if b.State != flow.BackendUnknown {
		why += "; last known: " + string(b.State) + ", " + b.How
	}
	b.State, b.Since, b.How = flow.BackendUnknown, since, why
}

// setUnverified judges a backend whose pod is gone, if only a slice says that
// the pod had the address.
func (b *Backend) setUnverified(status podStatus, what string) {
	b.State, b.Unverified = flow.BackendUnlisted, true
	b.How = fmt.Sprintf("%s, and was not found at %s; only the slice says that it had this address", what, clock(status.at))
}

// setDeleted judges a backend whose pod is gone.
func (b *Backend) setDeleted(status podStatus, what string) {
	b.State, b.Since = flow.BackendDeleted, status.at
	switch {
	case status.finished:
		b.How = fmt.Sprintf("%s finished, seen at %s", what, clock(status.at))
	case status.notFound:
		b.How = fmt.Sprintf("%s was not found at %s", what, clock(status.at))
	default:
		b.How = fmt.Sprintf("%s was in the list until %s", what, clock(status.at))
	}
}
