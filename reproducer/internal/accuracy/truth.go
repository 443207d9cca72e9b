package accuracy

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// Truth is what the flow's own application and its peer's know of it: their calls, their
// errors, and what their kernel answers them. None of it comes from the agent.
type Truth struct {
	Died  time.Time     // when a call of the application failed; zero: it lives, or was closed in order
	Lag   time.Duration // how late that may have been noticed
	Errno string        // what the application read

	Steady         bool  // the two below did not change in the last looks before the end
	Unsent         int64 // of what was written
	Unacknowledged int64

	Missing int64 // bytes written that the peer's application never read; -1: not counted

	Asked       time.Time // when the write without an answer was made; zero: there is none
	LastSegment time.Time // when something last came from the peer
	Resumed     time.Time // when its longest wait for an answer ended
	Alive       bool      // it stood open when the round was over
}

// pair names a connection by its two ends.
type pair struct{ local, remote netip.AddrPort }

// truths reads a client's books. arrived says how many bytes of a connection,
// by the client's address, its peer read; nil: not counted.
func truths(records []record.Record, arrived map[netip.AddrPort]int64) map[netip.AddrPort]Truth {
	all := map[netip.AddrPort]Truth{}
	for _, r := range records {
		t := Truth{Missing: -1, LastSegment: r.LastSegment, Asked: r.Asked, Resumed: r.Resumed, Steady: r.Steady, Unsent: r.Unsent, Unacknowledged: r.Unacknowledged}
		switch r.Kind {
		case record.Standing:
			t.Alive = true
		case record.Error:
			t.Died, t.Lag, t.Errno = r.Time, r.Lag, r.Errno
		case record.Closed:
			t.Steady = t.Steady || r.LastSegment.IsZero() && r.Bytes > 0 // a transfer's, right before its end
		default:
			continue
		}
		if read, counted := arrived[r.Local]; counted && r.Bytes > 0 {
			t.Missing = r.Bytes - read
		}
		all[r.Local] = t
	}
	return all
}

// arrivals returns how many bytes a server read of each connection, by its
// client's address.
func arrivals(records []record.Record) map[netip.AddrPort]int64 {
	read := map[netip.AddrPort]int64{}
	for _, r := range records {
		if r.Kind == record.Read || r.Kind == record.Closed {
			read[r.Remote] = max(read[r.Remote], r.Bytes)
		}
	}
	return read
}
