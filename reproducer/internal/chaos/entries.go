package chaos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// fillTable adds entries to the conntrack table of the calling thread's
// namespace until the kernel has no room for more, and returns how many.
func fillTable(ctx context.Context) (int, error) {
	const perAddress = 60_000
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		client, server := []byte{100, 64, 0, byte(1 + n/perAddress)}, []byte{100, 65, 0, 1}
		err := addEntry(client, server, uint16(1024+n%perAddress), cluster.Port)
		if errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENFILE) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("add conntrack entry %d: %w", n, err)
		}
	}
}

// addEntry adds an established connection that has been seen in both
// directions: the kernel throws out others to make room.
func addEntry(client, server []byte, clientPort, serverPort uint16) error {
	const (
		ctNew       = 0 // IPCTNL_MSG_CT_NEW
		ctStatus    = 3 // CTA_STATUS
		established = 3 // TCP_CONNTRACK_ESTABLISHED
		seenReply   = 1 << 1
		assured     = 1 << 2
		confirmed   = 1 << 3
		seconds     = 600
	)
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|ctNew, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_INET, Version: nl.NFNETLINK_V0})
	req.AddData(tuple(nl.CTA_TUPLE_ORIG, client, server, clientPort, serverPort))
	req.AddData(tuple(nl.CTA_TUPLE_REPLY, server, client, serverPort, clientPort))
	req.AddData(nl.NewRtAttr(ctStatus, big32(seenReply|assured|confirmed)))
	req.AddData(nl.NewRtAttr(nl.CTA_TIMEOUT, big32(seconds)))
	info := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_PROTOINFO, nil)
	tcp := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_PROTOINFO_TCP, nil)
	tcp.AddRtAttr(nl.CTA_PROTOINFO_TCP_STATE, []byte{established})
	info.AddChild(tcp)
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	return err
}

func tuple(direction int, from, to []byte, fromPort, toPort uint16) *nl.RtAttr {
	t := nl.NewRtAttr(unix.NLA_F_NESTED|direction, nil)
	ip := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_IP, nil)
	ip.AddRtAttr(nl.CTA_IP_V4_SRC, from)
	ip.AddRtAttr(nl.CTA_IP_V4_DST, to)
	proto := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil)
	proto.AddRtAttr(nl.CTA_PROTO_NUM, []byte{unix.IPPROTO_TCP})
	proto.AddRtAttr(nl.CTA_PROTO_SRC_PORT, binary.BigEndian.AppendUint16(nil, fromPort))
	proto.AddRtAttr(nl.CTA_PROTO_DST_PORT, binary.BigEndian.AppendUint16(nil, toPort))
	t.AddChild(ip)
	t.AddChild(proto)
	return t
}

func big32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
