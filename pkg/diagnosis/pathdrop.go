package diagnosis

import (
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var pathDrop = Cause{Name: flow.PathDrop, Meaning: "the peer answers, but what is sent to it does not get through"}

func oneWay(e *Evidence, s flow.Symptom) bool {
	return answers(e) && (s == flow.Retransmitting || s == flow.Connecting)
}

// smallSegment is what every path carries (RFC 9293, 3.7.1): smaller segments are
// not lost for their size.
const smallSegment = 536

func whyPathDrop(e *Evidence) string {
	answers := place(e) + " answers (last segment at " + clock(e, lastSegment(e)) + "), but the oldest data does not get through"
	if n := e.Socket.Unacknowledged; n > 0 && n <= smallSegment {
		return answers + ": a filter drops what is sent, or the path works one way only"
	}
	return answers + ": something on the path drops large segments (path MTU)"
}

func advisePathDrop(e *Evidence) []flow.Advice {
	prefix, addr := inside(e), target(e).Addr().String()
	return []flow.Advice{
		now("See whether large packets get through:\n" + prefix + "ping -M do -s 1472 -c 3 " + addr),
		now(prefix + "ip route get " + addr),
		forGood("Let ICMP \"fragmentation needed\" through, set the CNI's MTU below the path's, or switch on net.ipv4.tcp_mtu_probing."),
	}
}
