package conntrack

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/netfilter"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Message and attribute numbers of ctnetlink
// (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
const (
	msgGet = 1 // IPCTNL_MSG_CT_GET

	attrTupleOrig  = 1  // CTA_TUPLE_ORIG
	attrTupleReply = 2  // CTA_TUPLE_REPLY
	attrFilter     = 25 // CTA_FILTER

	attrTupleIP    = 1 // CTA_TUPLE_IP
	attrTupleProto = 2 // CTA_TUPLE_PROTO

	attrIPv4Src = 1 // CTA_IP_V4_SRC
	attrIPv4Dst = 2 // CTA_IP_V4_DST
	attrIPv6Src = 3 // CTA_IP_V6_SRC
	attrIPv6Dst = 4 // CTA_IP_V6_DST

	attrProtoNum     = 1 // CTA_PROTO_NUM
	attrProtoSrcPort = 2 // CTA_PROTO_SRC_PORT
	attrProtoDstPort = 3 // CTA_PROTO_DST_PORT

	attrFilterOrigFlags  = 1 // CTA_FILTER_ORIG_FLAGS
	attrFilterReplyFlags = 2 // CTA_FILTER_REPLY_FLAGS
)

// Which parts of a filter's tuple must match (CTA_FILTER_F_* of
// net/netfilter/nf_internals.h).
const (
	matchSrc = 1 << iota
	matchDst
	matchZone
	matchProto
	matchSrcPort
	matchDstPort

	matchTuple = matchSrc | matchDst | matchProto | matchSrcPort | matchDstPort
)

// normal returns the tuple as the table holds it: IPv4-mapped addresses
// unmapped, IPv6 scopes removed. It refuses what no entry can have.
func normal(t flow.Tuple) (flow.Tuple, error) {
	n := flow.Tuple{Src: normalAddrPort(t.Src), Dst: normalAddrPort(t.Dst)}
	if !n.Src.IsValid() || !n.Dst.IsValid() || n.Src.Addr().Is4() != n.Dst.Addr().Is4() {
		return flow.Tuple{}, fmt.Errorf("%s is not the tuple of a connection", t)
	}
	return n, nil
}

func normalAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func normalAddrPort(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(normalAddr(a.Addr()), a.Port())
}

// getRequest asks for the entry one of whose directions is the tuple. The
// kernel flags its answer as multi-part and sends no end of it, so only the
// acknowledgement shows that it is complete.
func getRequest(t flow.Tuple) (netlink.Message, error) {
	return request(t.Src.Addr(), netlink.Request|netlink.Acknowledge, tupleAttribute(attrTupleOrig, t))
}

// filterRequest asks for every entry, in any zone, whose tuple of the given
// direction agrees with t in the parts that match names. For IPv6 it leaves
// the addresses out, so that the answer holds more than was asked for: the
// kernel compares them the wrong way round and sends the entries that do not
// match (ctnetlink_filter_match_tuple, seen on Linux 6.18).
func filterRequest(direction uint16, t flow.Tuple, match uint32) (netlink.Message, error) {
	if t.Src.Addr().Is6() {
		match &^= matchSrc | matchDst
	}
	var orig, reply uint32
	if direction == attrTupleOrig {
		orig = match
	} else {
		reply = match
	}
	return request(t.Src.Addr(), netlink.Request|netlink.Dump,
		tupleAttribute(direction, t),
		nested(attrFilter,
			netfilter.Attribute{Type: attrFilterOrigFlags, Data: binary.NativeEndian.AppendUint32(nil, orig)},
			netfilter.Attribute{Type: attrFilterReplyFlags, Data: binary.NativeEndian.AppendUint32(nil, reply)},
		))
}

func request(family netip.Addr, flags netlink.HeaderFlags, attrs ...netfilter.Attribute) (netlink.Message, error) {
	h := netfilter.Header{
		SubsystemID: netfilter.NFSubsysCTNetlink,
		MessageType: msgGet,
		Family:      netfilter.ProtoIPv4,
		Flags:       flags,
	}
	if family.Is6() {
		h.Family = netfilter.ProtoIPv6
	}
	return netfilter.MarshalNetlink(h, attrs)
}

func tupleAttribute(direction uint16, t flow.Tuple) netfilter.Attribute {
	src, dst := uint16(attrIPv4Src), uint16(attrIPv4Dst)
	if t.Src.Addr().Is6() {
		src, dst = attrIPv6Src, attrIPv6Dst
	}
	return nested(direction,
		nested(attrTupleIP,
			netfilter.Attribute{Type: src, Data: t.Src.Addr().AsSlice()},
			netfilter.Attribute{Type: dst, Data: t.Dst.Addr().AsSlice()},
		),
		nested(attrTupleProto,
			netfilter.Attribute{Type: attrProtoNum, Data: []byte{unix.IPPROTO_TCP}},
			netfilter.Attribute{Type: attrProtoSrcPort, Data: netfilter.Uint16Bytes(t.Src.Port())},
			netfilter.Attribute{Type: attrProtoDstPort, Data: netfilter.Uint16Bytes(t.Dst.Port())},
		))
}

func nested(attr uint16, children ...netfilter.Attribute) netfilter.Attribute {
	return netfilter.Attribute{Type: attr, Nested: true, Children: children}
}
