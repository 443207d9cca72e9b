package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var dataAfterClose = Cause{Name: flow.DataAfterClose, Meaning: "data arrived after it was closed"}

func lostDataAfterClose(e *Evidence, _ flow.Symptom) bool { return died(e, flow.LostDataAfterClose) }

func whyDataAfterClose(*Evidence) string {
	return "the peer sent something more after it was closed, which the kernel answered with a reset, and threw away what was still to be sent"
}
