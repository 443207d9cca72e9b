package ledger

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Kind is what happened to a flow.
type Kind int

// The kinds of change.
const (
	// Suspected: it has something outstanding and makes no progress.
	Suspected Kind = iota
	// Written: it was idle at its last reading. It was written to since, and has
	// timed out.
	Written
	// Recovered: snd_una advanced or, for an idle flow, a segment came from its peer.
	Recovered
	// Ended: the socket went to CLOSE.
	Ended
	// Vanished: it is gone and its end was not seen.
	Vanished
	// Closed: its owner closed it while it was idle and its backend gone.
	Closed
	// Dropped: it still stands, and had to make room for the flows of another
	// owner.
	Dropped
)

// Change is one step in the life of a flow.
type Change struct {
	Kind  Kind
	Entry *Entry    // the present one, or the last before it left the ledger
	End   *flow.End // of one that has Ended
	At    time.Time
}

// absentFor is the time between two complete snapshots that lack a flow, with
// none between them that has it, before the absence counts. One snapshot can miss
// a living socket while others die, and the record of an end may still be on its
// way to the reader.
const absentFor = 2 * time.Second

// fate is what a reading says about a held flow.
type fate int

const (
	overtaken fate = iota // the reading was taken before the last one and arrived after it
	closed                // its owner has closed it; nothing of it is left
	lingers               // the same, and its FIN has timed out
	recovered
	moved // it recovered, and makes no progress again
	resumes
	stands
)

// fateOf compares a reading with the one before it; both are of one socket.
func fateOf(before *Entry, readAt time.Time, s flow.Socket) fate {
	was := &before.reading
	switch {
	case s.At.Before(readAt):
		return overtaken
	case closedIdle(was, s) && s.Timeouts > 0: // of its FIN
		return lingers
	case closedIdle(was, s):
		return closed
	case !s.Live:
		return recovered
	case s.Una != was.una:
		return moved
	case s.Resuming() && before.life == Stuck:
		// No timer has run out on it yet, so the verdict stays. The next reading
		// shows whether it gets through.
		return resumes
	}
	return stands
}

// closedIdle reports whether a flow that was idle has nothing but its FIN in
// flight: no process waits there any more.
func closedIdle(was *reading, s flow.Socket) bool {
	idle := was.timeouts == 0 && was.state == flow.Established
	return idle && s.Live && s.Orphan && s.FinOutstanding && s.AtRisk() == 0
}

// sameEpisode returns a reading with the oldest time of this episode, by the
// new reading's clock: the wall clock may have been set meanwhile.
func sameEpisode(before *Entry, s flow.Socket) flow.Socket {
	since := before.reading.since.time(before.reading.at)
	if s.Since.After(since) && before.reading.timeouts > 0 {
		s.Since = s.At.Add(-s.At.Sub(since))
	}
	return s
}
