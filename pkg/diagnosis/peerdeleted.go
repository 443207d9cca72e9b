package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var peerDeleted = Cause{Name: flow.PeerDeleted, Meaning: "the pod at the other end is gone", Gone: true, Records: true}

func directedToGone(e *Evidence, _ flow.Symptom) bool { return !redirected(e) && gone(e) }

func whyPeerDeleted(e *Evidence) string {
	return "its peer " + target(e).String() + ", the " + podName(&e.Backend) + ", was deleted" + at(e, e.Backend.Since, " at ")
}

func advisePeerDeleted(e *Evidence) []flow.Advice { return bounded(e, kill(e)) }
