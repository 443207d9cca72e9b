package tracer

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

var (
	// errShort is a record that is shorter than the kernel side writes it.
	errShort = errors.New("short record")
	// errNobody is a record that does not name its socket.
	errNobody = errors.New("record of no socket")
)

const (
	readingSize  = int(unsafe.Sizeof(tcpstuckReading{}))
	listenerSize = int(unsafe.Sizeof(tcpstuckListener{}))
	afInet6      = 10
	// rtoMax is TCP_RTO_MAX where it is not a setting (before 6.15).
	rtoMax = 120 * time.Second
)

// Record is what the ring buffer brings: exactly one field is set.
type Record struct {
	Suspect *flow.Socket // the first RTO without progress; a reading of a socket that no snapshot has
	End     *flow.End    // a suspect, or a socket with bytes in it, that went to CLOSE

	answered flow.ID // it ended before, by its own reset; never delivered
}

func decodeReading(raw []byte) (tcpstuckReading, error) {
	var r tcpstuckReading
	if len(raw) < readingSize {
		return r, fmt.Errorf("a reading of %d bytes, want %d: %w", len(raw), readingSize, errShort)
	}
	fill(&r, raw)
	return r, nil
}

func decodeListener(raw []byte) (flow.Listener, error) {
	var l tcpstuckListener
	if len(raw) < listenerSize {
		return flow.Listener{}, fmt.Errorf("a listener of %d bytes, want %d: %w", len(raw), listenerSize, errShort)
	}
	fill(&l, raw)
	addr, _ := address(l.Family, l.Local)
	return flow.Listener{
		NetNS: l.Netns, Local: netip.AddrPortFrom(addr, l.LocalPort), Waiting: l.Waiting, Most: l.Most,
		PID: l.Pid, Started: time.Duration(l.StartedNs), Comm: text(l.Comm[:]),
	}, nil
}

// fill copies a record into its generated type. Both have the host's layout
// and byte order; reflection would cost as much as reading the socket did.
func fill[T any](into *T, raw []byte) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(into)), unsafe.Sizeof(*into)), raw)
}

func decodeRecord(raw []byte, c clock) (Record, error) {
	r, err := decodeReading(raw)
	if err != nil {
		return Record{}, err
	}
	if r.Kind == uint8(tcpstuckReadingKindREADING_ANSWERED) {
		if r.Cookie == 0 {
			return Record{}, errNobody
		}
		return Record{answered: flow.ID(r.Cookie)}, nil
	}
	if r.Kind == uint8(tcpstuckReadingKindREADING_ENDED) {
		e := end(r, c)
		return Record{End: &e}, nil
	}
	s := socket(r, c)
	return Record{Suspect: &s}, nil
}

// address returns an address and whether it was IPv4-mapped.
func address(family uint8, raw [16]byte) (netip.Addr, bool) {
	if family != afInet6 {
		return netip.AddrFrom4([4]byte(raw[:4])), false
	}
	addr := netip.AddrFrom16(raw)
	return addr.Unmap(), addr.Is4In6()
}

func socket(r tcpstuckReading, c clock) flow.Socket {
	local, _ := address(r.Family, r.Local)
	remote, mapped := address(r.Family, r.Remote)
	state := flow.TCPState(r.State)
	unacknowledged, unsent, fin := bytesAtRisk(state, r.SndUna, r.SndNxt, r.WriteSeq)
	s := flow.Socket{
		ID: flow.ID(r.Cookie), NetNS: r.Netns, Mapped: mapped, State: state,
		Local: netip.AddrPortFrom(local, r.LocalPort), Remote: netip.AddrPortFrom(remote, r.RemotePort),
		At: c.at(r.NowNs), Live: r.Kind == uint8(tcpstuckReadingKindREADING_SUSPECT),
		LastAck:  stamp(r, r.RcvTstamp, c),
		Timeouts: int(r.Timeouts), Retransmits: int(r.Retransmits), Backoff: int(r.Backoff),
		ProbesOut: int(r.ProbesOut), Pending: flow.Timer(r.Pending), SendErr: int(-r.SendErr), SoftErr: int(r.SoftErr),
		PacketsOut: int(r.PacketsOut), SackedOut: int(r.SackedOut), RetransOut: int(r.RetransOut),
		RTO: c.jiffies(int64(r.Rto)), UserTimeout: time.Duration(r.UserTimeoutMs) * time.Millisecond,
		Retries2: int(r.Retries2), OrphanRetries: int(r.OrphanRetries),
		SynRetries: int(r.SynRetries), SynLinear: int(r.SynLinearTimeouts),
		Keepalive: has(r, tcpstuckReadingFlagFLAG_KEEPALIVE), KeepaliveProbes: int(r.KeepaliveProbes),
		KeepaliveIdle: c.jiffies(int64(r.KeepaliveTime)), KeepaliveInterval: c.jiffies(int64(r.KeepaliveIntvl)),
		RTOMax: c.jiffies(int64(r.RtoMax)), RetransStamp: retransStamp(r, c), ProbesStamp: stamp(r, r.ProbesTstamp, c),
		LastReceive: stamp(r, r.Lrcvtime, c), Sent: stamp(r, r.Lsndtime, c),
		Tick: c.tick, Jiffies: r.Jiffies, TimerJiffies: r.TimerJiffies, TimerLevel: int(r.TimerLevel),
		KeepaliveJiffies: r.KeepaliveJiffies, KeepaliveLevel: int(r.KeepaliveLevel),
		Una: r.SndUna, SendWindow: r.SndWnd, Unacknowledged: unacknowledged, Unsent: unsent, FinOutstanding: fin,
		SendQueued: r.WmemQueued, SendBuffer: r.Sndbuf, MSS: r.Mss,
		Orphan: has(r, tcpstuckReadingFlagFLAG_ORPHAN), MPTCP: has(r, tcpstuckReadingFlagFLAG_MPTCP),
		Signals: has(r, tcpstuckReadingFlagFLAG_SIGNALS), NeverAcked: has(r, tcpstuckReadingFlagFLAG_UNHEARD),
		Accepted: has(r, tcpstuckReadingFlagFLAG_ACCEPTED), Foreign: has(r, tcpstuckReadingFlagFLAG_FOREIGN),
		Unstored: has(r, tcpstuckReadingFlagFLAG_UNSTORED),
	}
	if s.RTOMax == 0 {
		s.RTOMax = rtoMax
	}
	if s.Pending != flow.TimerNone {
		s.TimerAt = s.At.Add(c.jiffies(int64(r.TimerJiffies - r.Jiffies)))
	}
	if has(r, tcpstuckReadingFlagFLAG_OWNED) {
		s.PID, s.Started, s.Comm, s.FD = r.Pid, time.Duration(r.StartedNs), text(r.Comm[:]), r.Fd
	}
	if s.Live {
		s.Since, s.SegmentsIn = since(r, s, c), r.SegsIn
	}
	return s
}

func end(r tcpstuckReading, c clock) flow.End {
	s := socket(r, c)
	return flow.End{
		ID: s.ID, NetNS: s.NetNS, Local: s.Local, Remote: s.Remote, At: s.At, From: s.State,
		Err: int(r.Err), SoftErr: s.SoftErr, ResetReceived: has(r, tcpstuckReadingFlagFLAG_RESET),
		Orphan: s.Orphan, MPTCP: s.MPTCP, Unsent: s.Unsent, Unacknowledged: s.Unacknowledged,
		Timeouts: s.Timeouts, Since: since(r, s, c),
		Loss: lossReason(r.Loss), Unread: r.Unread, Last: s,
	}
}

// since returns when progress stopped. An idle socket with keepalive has heard nothing since the
// last segment. Any other one goes by the episode's own stamp or, if that began
// before the agent, by the kernel's.
func since(r tcpstuckReading, s flow.Socket, c clock) time.Time {
	if probed := s.Keepalive && s.ProbesOut > 0 && r.WriteSeq == r.SndUna; probed && r.Timeouts == 0 {
		if s.LastReceive.After(s.LastAck) {
			return s.LastReceive
		}
		return s.LastAck
	}
	if s.PacketsOut == 0 && s.Pending == flow.TimerProbe && !s.ProbesStamp.IsZero() {
		return s.ProbesStamp
	}
	if r.BeganNs != 0 {
		return c.at(r.BeganNs)
	}
	if s.RetransStamp.IsZero() {
		return s.At
	}
	// The stamp survives partial progress within one loss episode.
	if s.SackedOut == 0 && s.LastAck.After(s.RetransStamp) {
		return s.LastAck
	}
	return s.RetransStamp
}

// stamp returns a 32-bit jiffies stamp of the past as a time; 0 is none.
func stamp(r tcpstuckReading, jiffies uint32, c clock) time.Time {
	if jiffies == 0 {
		return time.Time{}
	}
	return c.at(r.NowNs).Add(-c.jiffies(int64(uint32(r.Jiffies) - jiffies)))
}

// retransStamp returns tp->retrans_stamp as a time: it counts milliseconds or,
// with tcp_usec_ts, microseconds of CLOCK_MONOTONIC, in 32 bits.
func retransStamp(r tcpstuckReading, c clock) time.Time {
	if r.RetransStamp == 0 {
		return time.Time{}
	}
	unit := time.Millisecond
	if has(r, tcpstuckReadingFlagFLAG_USEC_TS) {
		unit = time.Microsecond
	}
	ago := uint32(r.NowNs/uint64(unit)) - r.RetransStamp
	return c.at(r.NowNs).Add(-time.Duration(ago) * unit)
}

// bytesAtRisk returns the bytes that were sent and not acknowledged, those that
// were never sent, and whether a FIN is outstanding. SYN and FIN take a sequence
// number each and are no bytes of the application's.
func bytesAtRisk(state flow.TCPState, una, nxt, writeSeq uint32) (unacknowledged, unsent uint32, fin bool) {
	unacknowledged, unsent = ahead(nxt, una), ahead(writeSeq, nxt)
	switch state {
	case flow.SynRecv:
		return 0, 0, false
	case flow.SynSent:
		if unacknowledged > 0 {
			unacknowledged--
		}
	case flow.FinWait1, flow.Closing, flow.LastAck:
		fin = writeSeq != una
		switch {
		case unsent > 0:
			unsent--
		case unacknowledged > 0:
			unacknowledged--
		}
	}
	return unacknowledged, unsent, fin
}

// ahead returns how far sequence number a is ahead of b, 0 if it is behind.
func ahead(a, b uint32) uint32 {
	if int32(a-b) < 0 {
		return 0
	}
	return a - b
}

func has(r tcpstuckReading, flag tcpstuckReadingFlag) bool { return r.Flags&uint16(flag) != 0 }

// text returns a name that a process chose, made printable.
func text(c []int8) string {
	b := make([]byte, 0, len(c))
	for _, x := range c {
		if x == 0 {
			break
		}
		b = append(b, byte(x))
	}
	return phrase.Printable(string(b))
}
