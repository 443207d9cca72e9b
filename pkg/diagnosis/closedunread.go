package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

var closedUnread = Cause{Name: flow.ClosedUnread, Meaning: "it was closed with data unread"}

func lostClosedUnread(e *Evidence, _ flow.Symptom) bool { return died(e, flow.LostClosedUnread) }

func whyClosedUnread(e *Evidence) string {
	return "it was closed with " + phrase.Count(int(e.End.Unread), "byte", "bytes") +
		" unread in its receive buffer, so the kernel sent a reset instead of a FIN and threw away what was still to be sent"
}
