package flow

import (
	"net/netip"
	"time"
)

// End is the end of a socket that was a suspect or lost bytes, as the kernel's
// transition to CLOSE showed it.
type End struct {
	ID             ID
	NetNS          uint32
	Local, Remote  netip.AddrPort
	At             time.Time
	From           TCPState // the state it was in
	Err            int      // sk_err: the errno its owner reads, 0: none
	SoftErr        int      // sk_err_soft
	ResetReceived  bool     // tcp_receive_reset fired on it
	Orphan         bool
	MPTCP          bool
	Unsent         uint32 // certainly lost
	Unacknowledged uint32 // sent, perhaps delivered
	Timeouts       int
	Since          time.Time
	Loss           LossReason // why its bytes died; empty: none did
	Unread         uint32     // bytes that it had received and its owner had not read
	Last           Socket     // all of the reading
}
