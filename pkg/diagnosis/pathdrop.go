package diagnosis

import (
	"strconv"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

var pathDrop = Cause{Name: flow.PathDrop, Meaning: "the peer answers, but what is sent to it does not get through"}

func oneWay(e *Evidence, s flow.Symptom) bool {
	return s == flow.Retransmitting && (heard(e) || sacked(e)) || s == flow.Connecting && answers(e)
}

// smallSegment is what every path carries (RFC 9293, 3.7.1): smaller segments are
// not lost for their size.
const smallSegment = 536

// hole is what a path does to the oldest data.
type hole uint8

const (
	dropsLarge     hole = iota // larger segments than some size
	dropsSmall                 // even the smallest: for another reason than size
	dropsHandshake             // the end of the handshake, and everything after it
)

func holeOf(e *Evidence) hole {
	s := &e.Socket
	switch {
	case e.Role != flow.Server && s.NeverAcked && !sacked(e) && s.SegmentsIn > 0 && !s.LastReceive.After(s.Since):
		return dropsHandshake
	case s.Unacknowledged > 0 && s.Unacknowledged <= smallSegment:
		return dropsSmall
	}
	return dropsLarge
}

func whyPathDrop(e *Evidence) string {
	last := " (last segment at " + clock(e, lastSegment(e)) + ")"
	switch holeOf(e) {
	case dropsHandshake:
		return place(e) + " repeats its answer to the SYN: neither the end of the handshake nor the data gets through, so a filter on the way drops them, or the path works one way only"
	case dropsSmall:
		return place(e) + " answers" + last + ", but the oldest data does not get through: a filter drops what is sent, or the path works one way only"
	}
	if sacked(e) && !answers(e) {
		return place(e) + " has what was sent later (selective acknowledgement" + at(e, lastSegment(e), " at ") + "), but not the oldest segment, of " +
			phrase.Count(int(e.Socket.MSS), "byte", "bytes") + ": something on the path drops large segments (path MTU)"
	}
	return place(e) + " answers" + last + ", but the oldest data does not get through: something on the path drops large segments (path MTU)"
}

// advisePathDrop follows the sentence: small segments are not lost for their size.
func advisePathDrop(e *Evidence) []flow.Advice {
	prefix, addr := inside(e), target(e).Addr()
	if holeOf(e) != dropsLarge {
		return bounded(e,
			now("See whether the segments arrive on the peer's node, and where they end if not:\ntcpdump -ni any "+capture(e)),
			now("Look for a policy or a firewall on the way that allows one direction only, and for a way back that differs from the way there."))
	}
	size := 1472
	if addr.Is6() {
		size = 1452
	}
	return []flow.Advice{
		now("See whether large packets get through:\n" + prefix + "ping -M do -s " + strconv.Itoa(size) + " -c 3 " + addr.String()),
		now(prefix + "ip route get " + addr.String()),
		forGood("Let ICMP \"fragmentation needed\" through, set the CNI's MTU below the path's, or switch on net.ipv4.tcp_mtu_probing."),
	}
}

// capture is a filter of tcpdump for the flow's segments as they reach its backend.
func capture(e *Evidence) string {
	to := target(e)
	return "\"tcp port " + strconv.Itoa(int(e.Socket.Local.Port())) + " and host " + to.Addr().String() + "\""
}
