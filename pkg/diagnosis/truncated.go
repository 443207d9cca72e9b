package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Notable reports whether the end of a socket that was not stuck is a finding. A
// reset that loses nothing but a request in flight is none: its owner reads
// ECONNRESET in the call that waits for the answer, and may ask again. It is one
// if bytes are certainly lost, or if it cut off what was still being read.
func Notable(e flow.End) bool {
	if e.Loss == "" || e.MPTCP {
		return false
	}
	return e.Loss != flow.LostResetByPeer || e.Unsent > 0 || e.Unread > 0
}

// died reports whether a socket that was not stuck died with bytes in it, for a reason that the
// kernel gave. One that timed out unseen has the cause of any silence.
func died(e *Evidence, by flow.LossReason) bool { return e.End != nil && e.End.Loss == by }

// suppressTruncated suppresses losses to clients outside the cluster: on every node
// that serves them, they leave or reset all day while an answer is in flight. If
// a server here discarded unsent bytes itself, that is its own defect and is
// reported, whatever the client.
func suppressTruncated(e *Evidence) flow.Suppression {
	if !vanished(e) {
		return ""
	}
	if ours(e.End.Loss) && e.End.Unsent > 0 {
		return ""
	}
	return flow.SuppressedExternalClient
}

// ours reports whether this end destroyed the bytes.
func ours(r flow.LossReason) bool {
	return r == flow.LostClosedUnread || r == flow.LostDataAfterClose
}

func truncatedSentence(e *Evidence, why string) string {
	return owner(&e.Local) + " lost " + lost(e.End.Unsent, e.End.Unacknowledged) + " of what it had written to " + place(e) +
		" when that connection ended at " + phrase.Zoned(e.End.At, e.Now) + ": " + why + "."
}

// lost says how much was lost: unsent bytes certainly, sent ones perhaps.
func lost(unsent, unacknowledged uint32) string {
	switch {
	case unsent == 0:
		return "perhaps " + phrase.Count(int(unacknowledged), "byte", "bytes")
	case unacknowledged == 0:
		return phrase.Count(int(unsent), "byte", "bytes")
	}
	return phrase.Count(int(unsent), "byte", "bytes") + " for certain and perhaps " + phrase.Number(unacknowledged) + " more"
}

func adviseDrain(e *Evidence) []flow.Advice {
	advice := []flow.Advice{now("Take what " + place(e) + " received last for incomplete, and have it sent again: the bytes are gone.")}
	drain := "Drain before closing: shutdown(SHUT_WR), read until the peer's end with a time limit, then close. The peer then gets everything, and its own last words harm nothing."
	if e.End.Loss == flow.LostDataAfterClose {
		drain += " Where that is done already, the time limit is too short for this reader."
	}
	return append(advice, forGood(drain))
}

// endAnswer is how the socket's transition to CLOSE read.
func endAnswer(e *Evidence) flow.Evidence {
	answer := "left " + e.End.From.String() + ": " + string(e.End.Loss)
	if e.End.Err != 0 {
		answer += ", " + Errno(e.End.Err)
	}
	if e.End.Unread > 0 {
		answer += ", " + phrase.Count(int(e.End.Unread), "byte", "bytes") + " received and not read"
	}
	return flow.Evidence{Source: string(flow.SourceKernel), At: e.End.At, Asked: "how the socket ended", Answer: answer}
}
