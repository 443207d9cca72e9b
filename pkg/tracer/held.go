package tracer

import (
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// answerTime is how long the answer to what killed a socket may take: the
// kernel gives it in the same context, microseconds later.
const answerTime = 10 * time.Millisecond

// held keeps the ends that look like a reset by the peer and may not be one
// (bpf/lib/late_data.h), until the kernel side says so or would have.
type held struct {
	ends []heldEnd // oldest first
}

type heldEnd struct {
	record Record
	until  time.Time
}

// ambiguous reports whether late data may have killed the socket: the kernel
// lets it die as by a reset.
func ambiguous(e flow.End) bool {
	return e.Loss == flow.LostResetByPeer && e.From == flow.FinWait1 && syscall.Errno(e.Err) == syscall.ECONNRESET
}

func (h *held) hold(r Record, now time.Time) {
	h.ends = append(h.ends, heldEnd{record: r, until: now.Add(answerTime)})
}

// answered notes that a socket answered with a reset of its own: its end is due at
// once.
func (h *held) answered(id flow.ID) {
	for n := range h.ends {
		if e := h.ends[n].record.End; e.ID == id {
			e.Loss, e.ResetReceived = flow.LostDataAfterClose, false
			h.ends[n].until = time.Time{}
		}
	}
}

// due returns the ends that need not wait any longer.
func (h *held) due(now time.Time) []Record {
	var due []Record
	waiting := h.ends[:0]
	for _, e := range h.ends {
		if e.until.After(now) {
			waiting = append(waiting, e)
		} else {
			due = append(due, e.record)
		}
	}
	h.ends = waiting
	return due
}

// next returns when an end will be due; zero: none is held.
func (h *held) next() time.Time {
	if len(h.ends) == 0 {
		return time.Time{}
	}
	return h.ends[0].until
}
