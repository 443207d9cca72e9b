package chaos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// filling is a conntrack table in the process of being filled.
type filling struct{ entries, refused int }

// refusals is how many entries in a row find no room in a full table: for each the kernel
// looks in a few places for one to throw out.
const refusals = 50

// restless matches entries that the kernel throws out for others, or lets expire soon: all
// but those of established connections.
type restless struct{}

func (restless) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	tcp, ok := f.ProtoInfo.(*netlink.ProtoInfoTCP)
	return !ok || tcp.State != established
}

// forgetRestless deletes the entries that would later make room in a full conntrack table
// of the calling thread's namespace.
func forgetRestless() error {
	if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, restless{}); err != nil {
		return fmt.Errorf("forget conntrack entries: %w", err)
	}
	return nil
}

// fill adds entries to the conntrack table of the calling thread's namespace
// until the kernel has no room for more.
func (f *filling) fill(ctx context.Context) error {
	const perAddress = 60_000
	for inARow := 0; inARow < refusals; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := f.entries + f.refused
		client, server := []byte{100, 64, 0, byte(1 + n/perAddress)}, []byte{100, 65, 0, 1}
		err := addEntry(client, server, uint16(1024+n%perAddress), cluster.Port)
		switch {
		case err == nil:
			f.entries++
			inARow = 0
		case errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENFILE):
			f.refused++
			inARow++
		default:
			return fmt.Errorf("add conntrack entry %d: %w", n, err)
		}
	}
	return nil
}

// keep fills the table again and again, because its entries expire, until the context ends.
func (f *filling) keep(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := f.fill(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		_ = pause(ctx, 20*time.Millisecond)
	}
	return nil
}

const established = 3 // TCP_CONNTRACK_ESTABLISHED

// addEntry adds an established connection that was seen in both directions: the kernel
// throws out others for it.
func addEntry(client, server []byte, clientPort, serverPort uint16) error {
	const (
		ctNew     = 0 // IPCTNL_MSG_CT_NEW
		ctStatus  = 3 // CTA_STATUS
		seenReply = 1 << 1
		assured   = 1 << 2
		confirmed = 1 << 3
		seconds   = 600
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
