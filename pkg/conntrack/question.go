package conntrack

import (
	"encoding/binary"

	"github.com/ti-mo/netfilter"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// appendQuestion appends the message of getRequest, but asks for no
// acknowledgement: the entry or an error is the only answer. Made by the netlink
// library, the message alone would cost as much as the question and its answer.
func appendQuestion(b []byte, sequence uint32, t flow.Tuple) []byte {
	family, src, dst := byte(netfilter.ProtoIPv4), uint16(attrIPv4Src), uint16(attrIPv4Dst)
	if t.Src.Addr().Is6() {
		family, src, dst = byte(netfilter.ProtoIPv6), attrIPv6Src, attrIPv6Dst
	}
	message := len(b)
	b = binary.NativeEndian.AppendUint32(b, 0) // its length
	b = binary.NativeEndian.AppendUint16(b, uint16(netfilter.NFSubsysCTNetlink)<<8|msgGet)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 0)     // the sender, which the kernel knows
	b = append(b, family, unix.NFNETLINK_V0, 0, 0) // struct nfgenmsg
	tuple := len(b)
	b = appendHeader(b, attrTupleOrig|unix.NLA_F_NESTED)
	addresses := len(b)
	b = appendHeader(b, attrTupleIP|unix.NLA_F_NESTED)
	b = appendAttribute(b, src, t.Src.Addr().AsSlice()...)
	b = appendAttribute(b, dst, t.Dst.Addr().AsSlice()...)
	setLength(b[addresses:])
	ports := len(b)
	b = appendHeader(b, attrTupleProto|unix.NLA_F_NESTED)
	b = appendAttribute(b, attrProtoNum, unix.IPPROTO_TCP)
	b = appendPort(b, attrProtoSrcPort, t.Src.Port())
	b = appendPort(b, attrProtoDstPort, t.Dst.Port())
	setLength(b[ports:])
	setLength(b[tuple:])
	binary.NativeEndian.PutUint32(b[message:], uint32(len(b)-message))
	return b
}
