package flow

import (
	"net/netip"
	"time"
)

// Timer is which retransmission timer a socket has armed (icsk_pending).
type Timer uint8

// The timers that matter here, by the kernel's numbers (include/net/inet_connection_sock.h).
const (
	TimerNone       Timer = 0
	TimerRetransmit Timer = 1
	TimerProbe      Timer = 3 // ICSK_TIME_PROBE0, the persist timer
)

// Socket is one reading of a TCP socket's kernel state. Sizes are in bytes;
// fields named after kernel fields hold them unchanged.
type Socket struct {
	ID     ID
	NetNS  uint32         // inode number of the network namespace
	Local  netip.AddrPort // IPv4-mapped addresses are unmapped
	Remote netip.AddrPort
	Mapped bool // the socket is AF_INET6 and its addresses were IPv4-mapped
	State  TCPState

	At    time.Time // when it was read
	Since time.Time // when progress stopped, from the kernel's own stamps; zero: it makes progress
	// LastAck is when the last ACK came from the peer (tp->rcv_tstamp);
	// resolution is one jiffy. Zero: never.
	LastAck time.Time
	// Live is true while the socket is a suspect: something is outstanding
	// and snd_una has not moved since Since; or it is idle, its backend is
	// gone, and no segment came from there since.
	Live bool

	Timeouts    int // RTOs since progress stopped
	Retransmits int // icsk_retransmits
	Backoff     int // icsk_backoff
	ProbesOut   int // icsk_probes_out
	Pending     Timer
	SendErr     int // errno of the last (re)transmission, negative: a queue of this host dropped it (NET_XMIT_DROP); 0: it was sent
	SoftErr     int // sk_err_soft
	PacketsOut  int
	SackedOut   int
	RetransOut  int

	RTO         time.Duration
	TimerAt     time.Time     // when the armed timer expires; zero: not armed
	UserTimeout time.Duration // TCP_USER_TIMEOUT; 0: not set
	Retries2    int           // net.ipv4.tcp_retries2 of the socket's namespace
	RTOMax      time.Duration // of the socket or, before 6.15, TCP_RTO_MAX
	// OrphanRetries is net.ipv4.tcp_orphan_retries; SynRetries is TCP_SYNCNT
	// or net.ipv4.tcp_syn_retries; SynLinear is
	// net.ipv4.tcp_syn_linear_timeouts, 0 before 6.5.
	OrphanRetries, SynRetries, SynLinear int
	// The settings of keepalive, which count only if Keepalive is true: the
	// socket's own or, if it has none, its namespace's.
	Keepalive                        bool
	KeepaliveIdle, KeepaliveInterval time.Duration
	KeepaliveProbes                  int
	// RetransStamp is when the first retransmission of this loss episode was
	// sent (tp->retrans_stamp), or the first SYN: the clock of tcp_retries2
	// and tcp_syn_retries. Zero: not yet.
	RetransStamp time.Time
	// ProbesStamp is when the persist timer first ran out
	// (icsk_probes_tstamp), from which a user timeout counts there. Zero: not
	// yet.
	ProbesStamp time.Time
	// LastReceive is when the peer last sent data (icsk_ack.lrcvtime). Zero:
	// never.
	LastReceive time.Time
	// Sent is when data was last sent, a retransmission included
	// (tp->lsndtime). Zero: never.
	Sent time.Time
	// What the timer wheel needs: the length of a jiffy; in jiffies the
	// reading and the expiry of the armed timer and of the keepalive timer;
	// and the wheel's level where each of the two waits.
	Tick                                    time.Duration
	Jiffies, TimerJiffies, KeepaliveJiffies uint64
	TimerLevel, KeepaliveLevel              int

	Una            uint32 // snd_una: with ID, it names the time without progress
	SendWindow     uint32 // snd_wnd
	Unacknowledged uint32 // snd_nxt - snd_una, without FIN and SYN
	Unsent         uint32 // write_seq - snd_nxt, without FIN
	FinOutstanding bool   // a FIN was queued and is not acknowledged
	SendQueued     uint32 // sk_wmem_queued: memory that the send queue uses
	SendBuffer     uint32 // sk_sndbuf
	MSS            uint32 // mss_cache: the most data in a segment
	// SegmentsIn is how many segments have come from the peer since Since, whatever they
	// say: each counts that reaches the socket, also one that it then refuses. Of a socket
	// whose first timeouts the agent did not see, it counts from a later time. 0 unless Live.
	SegmentsIn uint32

	// Accepted is true of a socket that a listener made, and of one that was a
	// listener itself before it connected. It is false of an accepted one whose
	// listener had a backlog of 0. So it is a hint.
	Accepted bool
	// Unstored is true of a socket whose options leave no room for what the
	// kernel side keeps on it: no snapshot shows it, each file scan does.
	Unstored bool
	// Foreign is true of a socket that connects, or has failed to connect,
	// from an address that its network namespace does not have: its owner
	// bound it there (IPV6_FREEBIND, IP_TRANSPARENT).
	Foreign bool
	Orphan  bool // no process owns it any more (SOCK_DEAD)
	MPTCP   bool // a subflow: its death is not the application's
	// Signals is true if the tracepoint tcp_cong_state_set (5.19) will show the recovery.
	// The socket is in the Loss state then, and its peer speaks SACK
	// (tcp_try_undo_recovery).
	Signals bool
	// NeverAcked is true if nothing that it sent after its handshake was ever acknowledged.
	NeverAcked bool
	// PID and Started name a process that holds a descriptor of it (see
	// Process); PID 0: not known. Comm is the name that the process chose,
	// printable.
	PID     uint32
	Started time.Duration
	Comm    string
	FD      int32
}

// AtRisk returns how many bytes an application can still lose.
func (s Socket) AtRisk() uint32 { return s.Unacknowledged + s.Unsent }

// Resuming reports whether data that was held back is in flight again and no
// timer has run out since: the window opened, or a filter of this host is gone.
// An acknowledgement or the next timeout will show whether it gets through.
func (s Socket) Resuming() bool {
	return s.Timeouts > 0 && s.PacketsOut > 0 && s.SendWindow > 0 && s.State != SynSent &&
		s.Retransmits == 0 && s.Backoff == 0 && s.ProbesOut == 0
}
