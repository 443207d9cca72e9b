package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

var resetByPeer = Cause{Name: flow.ResetByPeer, Meaning: "the peer reset it"}

func lostResetByPeer(e *Evidence, _ flow.Symptom) bool { return died(e, flow.LostResetByPeer) }

func whyResetByPeer(e *Evidence) string {
	why := "the peer sent a reset"
	if e.End.Unread > 0 {
		why += ", with " + phrase.Count(int(e.End.Unread), "byte", "bytes") + " from it still to be read: what was to follow them may never have come"
	}
	switch e.Backend.State {
	case flow.BackendDeleted, flow.BackendTerminating:
		return why + "; " + backendName(e) + " is " + string(e.Backend.State) + at(e, e.Backend.Since, " since ")
	}
	return why
}

func adviseResetByPeer(e *Evidence) []flow.Advice {
	return []flow.Advice{
		now("Look at the other end, " + target(e).String() + ": it closed with data unread, was closed when data came in, or ended. The agent on its node counts which."),
		forGood("Have the peer drain before it closes: shutdown(SHUT_WR), read until the end with a time limit, then close. Have this side repeat what was not confirmed: a write that succeeded is not a delivery."),
	}
}
