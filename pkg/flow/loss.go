package flow

// LossReason is why bytes died with a socket: a value of the reason label of
// tcpstuck_lost_bytes_total. The empty string: none did, or the owner or an
// administrator asked for it (linger 0, ss -K).
type LossReason string

// The reasons.
const (
	LostTimedOut       LossReason = "timed_out"        // the kernel aborted it
	LostResetByPeer    LossReason = "reset_by_peer"    // the peer sent a reset
	LostClosedUnread   LossReason = "closed_unread"    // closed with data in its receive buffer
	LostDataAfterClose LossReason = "data_after_close" // data came in after it was closed
)

// LossReasons returns every reason, in the contract's order.
func LossReasons() []LossReason {
	return []LossReason{LostTimedOut, LostResetByPeer, LostClosedUnread, LostDataAfterClose}
}

// Losses is what died for one reason since the kernel side was loaded.
type Losses struct {
	Closes         uint64 // sockets that died with bytes in them
	Unsent         uint64 // bytes, certainly lost
	Unacknowledged uint64 // bytes, sent and perhaps delivered
}
