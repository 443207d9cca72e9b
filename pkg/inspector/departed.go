package inspector

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// departed is the pod that was a flow's backend and is gone. An idle flow
// waits for this one: that somebody else has its address is no recovery.
type departed struct {
	namespace, pod, uid string
	at                  time.Time // when it was seen to go; zero: none was
}

// note takes up whom a flow waits for, where a decision says so.
func (d *departed) note(e diagnosis.Evidence, decision diagnosis.Decision) {
	b := e.Backend
	switch {
	case !decision.AtOnce:
	case decision.Cause == flow.AddressReused:
		*d = departed{b.Former.Namespace, b.Former.Pod, b.Former.UID, e.Removed()}
	default:
		*d = departed{b.Namespace, b.Pod, b.PodUID, e.Removed()}
	}
}

// heard reports whether the peer was heard after it was seen to go.
func (d departed) heard(e diagnosis.Evidence) bool { return !d.at.IsZero() && e.HeardSince(d.at) }

// isBack reports whether the records have the very pod again.
func (d departed) isBack(b cluster.Backend) bool {
	return alive(b) && !d.at.IsZero() && d.same(departed{namespace: b.Namespace, pod: b.Pod, uid: b.PodUID})
}

func (d departed) same(o departed) bool {
	return d.namespace == o.namespace && d.pod == o.pod && d.uid == o.uid
}

// alive reports whether the records leave a backend alive.
func alive(b cluster.Backend) bool {
	switch b.State {
	case flow.BackendListed, flow.BackendTerminating, flow.BackendUnlisted:
		return !b.Unverified
	}
	return false
}

// withdraw ends a finding that the records have taken back: nobody heard the
// peer, so it is no recovery.
func (i *Inspector) withdraw(f *file) {
	id := f.evidence.Socket.ID
	delete(i.files, id)
	delete(i.unanswered, id)
	i.monitor.Forget(id)
	f.endedAt = f.evidence.Now
	i.tell(f, flow.EventEnded, "withdrawn: the records have its backend again")
}
