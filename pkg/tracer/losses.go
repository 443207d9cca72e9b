package tracer

import (
	"fmt"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// lossReason returns a value of enum loss as a reason, "" for none.
func lossReason(loss uint8) flow.LossReason {
	switch tcpstuckLoss(loss) {
	case tcpstuckLossLOSS_TIMED_OUT:
		return flow.LostTimedOut
	case tcpstuckLossLOSS_RESET_BY_PEER:
		return flow.LostResetByPeer
	case tcpstuckLossLOSS_CLOSED_UNREAD:
		return flow.LostClosedUnread
	case tcpstuckLossLOSS_DATA_AFTER_CLOSE:
		return flow.LostDataAfterClose
	}
	return ""
}

// losses returns the bytes that died with sockets, by reason. For some microseconds
// the kernel side counts a death by late data as a reset by the peer
// (bpf/lib/late_data.h); the figures that are shown never go down.
func (t *Tracer) losses() (map[flow.LossReason]flow.Losses, error) {
	t.resetsMu.Lock()
	defer t.resetsMu.Unlock()
	all := map[flow.LossReason]flow.Losses{}
	for loss := tcpstuckLossLOSS_NONE + 1; loss < tcpstuckLossLOSSES; loss++ {
		var perCPU []tcpstuckLossTotal
		if err := t.objects.Maps[tcpstuckMapLosses].Lookup(uint32(loss), &perCPU); err != nil {
			return nil, fmt.Errorf("read kernel losses %d: %w", loss, err)
		}
		var sum flow.Losses
		for _, n := range perCPU {
			sum.Closes += n.Closes
			sum.Unsent += n.Unsent
			sum.Unacknowledged += n.Unacknowledged
		}
		all[lossReason(uint8(loss))] = sum
	}
	r := all[flow.LostResetByPeer]
	t.resets = flow.Losses{
		Closes: max(t.resets.Closes, r.Closes), Unsent: max(t.resets.Unsent, r.Unsent),
		Unacknowledged: max(t.resets.Unacknowledged, r.Unacknowledged),
	}
	all[flow.LostResetByPeer] = t.resets
	return all, nil
}
