package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var peerTerminating = Cause{Name: flow.PeerTerminating, Meaning: "the pod at the other end is terminating", Records: true}

func terminatingAndSilent(e *Evidence, _ flow.Symptom) bool {
	return e.Backend.State == flow.BackendTerminating && !answersLately(e)
}

func whyPeerTerminating(e *Evidence) string {
	return backendName(e) + " is terminating" + at(e, e.Backend.Since, " since ") + " and no longer answers; it is not known to be dead"
}

func advisePeerTerminating(e *Evidence) []flow.Advice {
	return bounded(e, now("Wait for the pod to end, or see why it does not answer while it drains: kubectl describe pod -n "+e.Backend.Namespace+" "+e.Backend.Pod))
}
