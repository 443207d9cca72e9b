package ledger

import (
	"math"
	"net/netip"
	"time"
	"unique"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// reading is a flow.Socket in half its size: times are kept as distances from the
// reading, addresses without a zone, which the kernel's records lack, too.
type reading struct {
	at time.Time
	since, lastAck, timerAt, retransStamp,
	probesStamp, lastReceive, sent distance

	id                                      flow.ID
	jiffies, timerJiffies, keepaliveJiffies uint64
	rto, userTimeout, rtoMax, tick          time.Duration
	keepaliveIdle, keepaliveInterval        time.Duration
	started                                 time.Duration
	comm                                    unique.Handle[string]

	local, remote address
	netns, pid    uint32
	fd            int32
	timeouts      int32
	packetsOut, sackedOut, retransOut,
	una, sendWindow, unacknowledged, unsent, sendQueued, sendBuffer, mss, segmentsIn uint32
	sendErr, softErr int16
	retransmits, backoff, probesOut, retries2, orphanRetries, synRetries,
	synLinear, keepaliveProbes, timerLevel, keepaliveLevel uint8
	state   flow.TCPState
	pending flow.Timer
	flags   uint16
}

// The flags of a reading.
const (
	isLive = 1 << iota
	isMapped
	isKeepalive
	isFinOutstanding
	isAccepted
	isUnstored
	isForeign
	isOrphan
	isMPTCP
	isSignalling
	isNeverAcked
)

func pack(s flow.Socket) reading {
	from := func(t time.Time) distance { return distanceOf(t, s.At) }
	return reading{
		at: s.At, since: from(s.Since), lastAck: from(s.LastAck), timerAt: from(s.TimerAt), retransStamp: from(s.RetransStamp),
		probesStamp: from(s.ProbesStamp), lastReceive: from(s.LastReceive), sent: from(s.Sent),
		id: s.ID, jiffies: s.Jiffies, timerJiffies: s.TimerJiffies, keepaliveJiffies: s.KeepaliveJiffies,
		rto: s.RTO, userTimeout: s.UserTimeout, rtoMax: s.RTOMax, tick: s.Tick,
		keepaliveIdle: s.KeepaliveIdle, keepaliveInterval: s.KeepaliveInterval, started: s.Started, comm: unique.Make(s.Comm),
		local: addressOf(s.Local), remote: addressOf(s.Remote), netns: s.NetNS, pid: s.PID, fd: s.FD, timeouts: int32(s.Timeouts),
		packetsOut: uint32(s.PacketsOut), sackedOut: uint32(s.SackedOut), retransOut: uint32(s.RetransOut),
		una: s.Una, sendWindow: s.SendWindow, unacknowledged: s.Unacknowledged, unsent: s.Unsent, sendQueued: s.SendQueued, sendBuffer: s.SendBuffer,
		mss: s.MSS, segmentsIn: s.SegmentsIn, sendErr: int16(s.SendErr), softErr: int16(s.SoftErr),
		retransmits: uint8(s.Retransmits), backoff: uint8(s.Backoff), probesOut: uint8(s.ProbesOut), retries2: uint8(s.Retries2),
		orphanRetries: uint8(s.OrphanRetries), synRetries: uint8(s.SynRetries), synLinear: uint8(s.SynLinear),
		keepaliveProbes: uint8(s.KeepaliveProbes), timerLevel: uint8(s.TimerLevel), keepaliveLevel: uint8(s.KeepaliveLevel),
		state: s.State, pending: s.Pending, flags: flagsOf(s),
	}
}

func unpack(r *reading) flow.Socket {
	is := func(flag uint16) bool { return r.flags&flag != 0 }
	return flow.Socket{
		ID: r.id, NetNS: r.netns, Local: r.local.addrPort(), Remote: r.remote.addrPort(), Mapped: is(isMapped), State: r.state,
		At: r.at, Since: r.since.time(r.at), LastAck: r.lastAck.time(r.at), Live: is(isLive),
		Timeouts: int(r.timeouts), Retransmits: int(r.retransmits), Backoff: int(r.backoff), ProbesOut: int(r.probesOut), Pending: r.pending,
		SendErr: int(r.sendErr), SoftErr: int(r.softErr), PacketsOut: int(r.packetsOut), SackedOut: int(r.sackedOut), RetransOut: int(r.retransOut),
		RTO: r.rto, TimerAt: r.timerAt.time(r.at), UserTimeout: r.userTimeout, Retries2: int(r.retries2), RTOMax: r.rtoMax,
		OrphanRetries: int(r.orphanRetries), SynRetries: int(r.synRetries), SynLinear: int(r.synLinear),
		Keepalive: is(isKeepalive), KeepaliveIdle: r.keepaliveIdle, KeepaliveInterval: r.keepaliveInterval, KeepaliveProbes: int(r.keepaliveProbes),
		RetransStamp: r.retransStamp.time(r.at), ProbesStamp: r.probesStamp.time(r.at), LastReceive: r.lastReceive.time(r.at), Sent: r.sent.time(r.at),
		Tick: r.tick, Jiffies: r.jiffies, TimerJiffies: r.timerJiffies, KeepaliveJiffies: r.keepaliveJiffies,
		TimerLevel: int(r.timerLevel), KeepaliveLevel: int(r.keepaliveLevel),
		Una: r.una, SendWindow: r.sendWindow, Unacknowledged: r.unacknowledged, Unsent: r.unsent, FinOutstanding: is(isFinOutstanding),
		SendQueued: r.sendQueued, SendBuffer: r.sendBuffer, MSS: r.mss, SegmentsIn: r.segmentsIn, Accepted: is(isAccepted), Unstored: is(isUnstored), Foreign: is(isForeign),
		Orphan: is(isOrphan), MPTCP: is(isMPTCP), Signals: is(isSignalling), NeverAcked: is(isNeverAcked), PID: r.pid, Started: r.started, Comm: r.comm.Value(), FD: r.fd,
	}
}

func flagsOf(s flow.Socket) (flags uint16) {
	for _, f := range [...]struct {
		flag uint16
		set  bool
	}{
		{isLive, s.Live}, {isMapped, s.Mapped}, {isKeepalive, s.Keepalive}, {isFinOutstanding, s.FinOutstanding}, {isAccepted, s.Accepted},
		{isUnstored, s.Unstored}, {isForeign, s.Foreign}, {isOrphan, s.Orphan}, {isMPTCP, s.MPTCP}, {isSignalling, s.Signals},
		{isNeverAcked, s.NeverAcked},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	return flags
}

// distance is the nanoseconds from one time to another.
type distance int64

// never is the distance of the zero time.
const never = distance(math.MinInt64)

func distanceOf(t, from time.Time) distance {
	if t.IsZero() {
		return never
	}
	return distance(t.Sub(from))
}

func (d distance) time(from time.Time) time.Time {
	if d == never {
		return time.Time{}
	}
	return from.Add(time.Duration(d))
}

// moved returns the distance of the same time from another time.
func (d distance) moved(by distance) distance {
	if d == never {
		return never
	}
	return d + by
}

// address is a netip.AddrPort without a zone.
type address struct {
	ip     [16]byte
	port   uint16
	family uint8 // 4, 6; 0: none
}

func addressOf(a netip.AddrPort) address {
	family := uint8(6)
	switch {
	case !a.Addr().IsValid():
		family = 0
	case a.Addr().Is4():
		family = 4
	}
	return address{ip: a.Addr().As16(), port: a.Port(), family: family}
}

func (a address) addrPort() netip.AddrPort {
	addr := netip.AddrFrom16(a.ip)
	switch a.family {
	case 0:
		addr = netip.Addr{}
	case 4:
		addr = addr.Unmap()
	}
	return netip.AddrPortFrom(addr, a.port)
}
