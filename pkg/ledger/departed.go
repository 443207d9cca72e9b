package ledger

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Departed is the pod that was a flow's backend and is gone. An idle flow waits
// for this one: another pod at its address is no recovery.
type Departed struct {
	Namespace, Pod, UID string
	At                  time.Time // when it was seen to go; zero: none was
}

// noted records the pod that a flow waits for, if a decision says so.
func (d Departed) noted(e diagnosis.Evidence, decision diagnosis.Decision) Departed {
	b := e.Backend
	switch {
	case !decision.AtOnce:
		return d
	case decision.Cause == flow.AddressReused:
		return Departed{b.Former.Namespace, b.Former.Pod, b.Former.UID, e.Removed()}
	}
	return Departed{b.Namespace, b.Pod, b.PodUID, e.Removed()}
}

// AnsweredSince reports whether a segment came from the peer after the pod was
// seen to go.
func (d Departed) AnsweredSince(e diagnosis.Evidence) bool {
	return !d.At.IsZero() && e.SegmentSince(d.At)
}

// IsBack reports whether the records have the same pod again.
func (d Departed) IsBack(b cluster.Backend) bool {
	return Alive(b) && !d.At.IsZero() && d.Same(Departed{Namespace: b.Namespace, Pod: b.Pod, UID: b.PodUID})
}

// Same reports whether both are one pod.
func (d Departed) Same(o Departed) bool {
	return d.Namespace == o.Namespace && d.Pod == o.Pod && d.UID == o.UID
}

// Alive reports whether a backend may be alive by the records.
func Alive(b cluster.Backend) bool {
	switch b.State {
	case flow.BackendListed, flow.BackendTerminating, flow.BackendUnlisted:
		return !b.Unverified
	}
	return false
}
