package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var addressReused = Cause{Name: flow.AddressReused, Meaning: "the backend is gone and another pod has its address", Gone: true, Records: true}

func anotherHasIt(e *Evidence, _ flow.Symptom) bool { return reused(e) }

func whyAddressReused(e *Evidence) string {
	f := e.Backend.Former
	return "its peer, the pod " + f.Namespace + "/" + f.Pod + ", is gone" + at(e, f.GoneAt, " since ") + ", and its address " + target(e).Addr().String() +
		" now belongs to " + podName(&e.Backend) + ", which knows nothing of this connection and drops it"
}

func adviseAddressReused(e *Evidence) []flow.Advice {
	if redirected(e) {
		return adviseStaleConntrack(e)
	}
	return advisePeerDeleted(e)
}
