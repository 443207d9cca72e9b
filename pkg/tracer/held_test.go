package tracer

import (
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// reset is an end as by a reset, in a state.
func reset(id flow.ID, from flow.TCPState) flow.End {
	return flow.End{ID: id, From: from, Err: int(syscall.ECONNRESET), Loss: flow.LostResetByPeer, ResetReceived: true}
}

func TestOnlyWhatWasClosedMayHaveDiedOfLateData(t *testing.T) {
	timedOut := reset(1, flow.FinWait1)
	timedOut.Err, timedOut.Loss = int(syscall.ETIMEDOUT), flow.LostTimedOut
	for _, c := range []struct {
		name string
		end  flow.End
		want bool
	}{
		{"closed", reset(1, flow.FinWait1), true},
		{"open", reset(1, flow.Established), false},
		{"closed after the peer", reset(1, flow.LastAck), false},
		{"closed and timed out", timedOut, false},
	} {
		if got := ambiguous(c.end); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestHeld(t *testing.T) {
	var h held
	first, second := reset(1, flow.FinWait1), reset(2, flow.FinWait1)
	h.hold(Record{End: &first}, anchor)
	h.hold(Record{End: &second}, anchor.Add(answerTime/2))
	if due := h.due(anchor.Add(answerTime / 2)); len(due) != 0 {
		t.Errorf("before its time: %+v", due)
	}
	if got := h.next(); !got.Equal(anchor.Add(answerTime)) {
		t.Errorf("next is due at %v, want when the first is", got)
	}
	h.answered(2)
	h.answered(3) // of which no record came
	due := h.due(anchor.Add(answerTime / 2))
	if len(due) != 1 || due[0].End.ID != 2 || due[0].End.Loss != flow.LostDataAfterClose || due[0].End.ResetReceived {
		t.Errorf("after the answer: %+v", due)
	}
	due = h.due(anchor.Add(answerTime))
	if len(due) != 1 || due[0].End.ID != 1 || due[0].End.Loss != flow.LostResetByPeer {
		t.Errorf("after its time: %+v", due)
	}
	if got := h.next(); !got.Equal(time.Time{}) {
		t.Errorf("nothing is held, and next is due at %v", got)
	}
}

func TestDecodeLoss(t *testing.T) {
	r := stuck()
	r.Kind, r.Loss, r.Unread = uint8(tcpstuckReadingKindREADING_ENDED), uint8(tcpstuckLossLOSS_CLOSED_UNREAD), 5
	record, err := decodeRecord(raw(r), hz250)
	if err != nil {
		t.Fatal(err)
	}
	if e := record.End; e == nil || e.Loss != flow.LostClosedUnread || e.Unread != 5 || e.Last.ID != e.ID || e.Last.Live {
		t.Errorf("end %+v", record.End)
	}
	r.Kind = uint8(tcpstuckReadingKindREADING_ANSWERED)
	if record, err = decodeRecord(raw(r), hz250); err != nil || record.answered != 0x1f3a || record.End != nil || record.Suspect != nil {
		t.Errorf("record %+v, %v; want the answer of 1f3a alone", record, err)
	}
}
