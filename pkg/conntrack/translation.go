package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// states are the names that the kernel prints in /proc/net/nf_conntrack
// (tcp_conntrack_names of nf_conntrack_proto_tcp.c), by number.
var states = [...]string{
	"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT",
	"CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
}

var errNotTCP = errors.New("not a TCP entry")

// decode reads an entry from the kernel's message. If the entry is not of TCP, it
// returns errNotTCP.
func decode(msg netlink.Message) (flow.Translation, error) {
	var ev conntrack.Event // its decoder is the library's only exported one
	if err := ev.Unmarshal(msg); err != nil {
		return flow.Translation{}, fmt.Errorf("decode conntrack entry: %w", err)
	}
	f := ev.Flow
	if f == nil {
		return flow.Translation{}, errNotTCP // an expectation of a helper
	}
	if f.TupleOrig.Proto.Protocol != unix.IPPROTO_TCP {
		return flow.Translation{}, errNotTCP
	}
	return flow.Translation{
		Orig:      tuple(f.TupleOrig),
		Reply:     tuple(f.TupleReply),
		State:     state(f.ProtoInfo),
		Timeout:   time.Duration(f.Timeout) * time.Second,
		Assured:   f.Status.Assured(),
		Unreplied: !f.Status.SeenReply(),
		Zone:      f.Zone,
	}, nil
}

func tuple(t conntrack.Tuple) flow.Tuple {
	return flow.Tuple{
		Src: netip.AddrPortFrom(t.IP.SourceAddress, t.Proto.SourcePort),
		Dst: netip.AddrPortFrom(t.IP.DestinationAddress, t.Proto.DestinationPort),
	}
}

func state(p conntrack.ProtoInfo) string {
	if p.TCP == nil {
		return ""
	}
	return stateName(p.TCP.State)
}

func stateName(n uint8) string {
	if int(n) < len(states) {
		return states[n]
	}
	return "STATE_" + strconv.Itoa(int(n))
}
