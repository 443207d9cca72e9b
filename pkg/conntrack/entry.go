package conntrack

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// What readEntry reads of an entry's message
// (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
const (
	headerSize = 4 // of struct nfgenmsg

	attrStatus    = 3  // CTA_STATUS
	attrProtoInfo = 4  // CTA_PROTOINFO
	attrTimeout   = 7  // CTA_TIMEOUT
	attrZone      = 18 // CTA_ZONE

	attrProtoInfoTCP = 1 // CTA_PROTOINFO_TCP
	attrTCPState     = 1 // CTA_PROTOINFO_TCP_STATE

	statusSeenReply = 1 << 1 // IPS_SEEN_REPLY
	statusAssured   = 1 << 2 // IPS_ASSURED
)

// readEntry reads the same as decode, without a copy of each attribute, and only the
// attributes that a Translation has.
func readEntry(body []byte) (flow.Translation, error) {
	if len(body) < headerSize {
		return flow.Translation{}, errMalformed
	}
	var e flow.Translation
	var orig, reply end
	e.Unreplied = true
	err := eachAttribute(body[headerSize:], func(kind uint16, data []byte) error {
		switch kind {
		case attrTupleOrig:
			return orig.read(data)
		case attrTupleReply:
			return reply.read(data)
		case attrStatus:
			status, err := number(data, 4)
			e.Assured, e.Unreplied = status&statusAssured != 0, status&statusSeenReply == 0
			return err
		case attrTimeout:
			seconds, err := number(data, 4)
			e.Timeout = time.Duration(seconds) * time.Second
			return err
		case attrZone:
			zone, err := number(data, 2)
			e.Zone = uint16(zone)
			return err
		case attrProtoInfo:
			return readState(data, &e.State)
		}
		return nil
	})
	if err != nil {
		return flow.Translation{}, err
	}
	if orig.protocol != unix.IPPROTO_TCP {
		return flow.Translation{}, errNotTCP
	}
	e.Orig, e.Reply = orig.tuple(), reply.tuple()
	return e, nil
}

// end is what an entry's tuple says of one direction.
type end struct {
	src, dst         netip.Addr
	srcPort, dstPort uint16
	protocol         uint8
}

func (d *end) tuple() flow.Tuple {
	return flow.Tuple{Src: netip.AddrPortFrom(d.src, d.srcPort), Dst: netip.AddrPortFrom(d.dst, d.dstPort)}
}

func (d *end) read(data []byte) error {
	return eachAttribute(data, func(kind uint16, data []byte) error {
		switch kind {
		case attrTupleIP:
			d.src, d.dst = netip.Addr{}, netip.Addr{}
			return eachAttribute(data, d.readAddress)
		case attrTupleProto:
			d.srcPort, d.dstPort, d.protocol = 0, 0, 0
			return eachAttribute(data, d.readPort)
		}
		return nil
	})
}

func (d *end) readAddress(kind uint16, data []byte) error {
	addr, ok := netip.AddrFromSlice(data)
	switch {
	case !ok:
		return errMalformed
	case kind == attrIPv4Src, kind == attrIPv6Src:
		d.src = addr
	case kind == attrIPv4Dst, kind == attrIPv6Dst:
		d.dst = addr
	}
	return nil
}

func (d *end) readPort(kind uint16, data []byte) (err error) {
	var n uint32
	switch kind {
	case attrProtoNum:
		n, err = number(data, 1)
		d.protocol = uint8(n)
	case attrProtoSrcPort:
		n, err = number(data, 2)
		d.srcPort = uint16(n)
	case attrProtoDstPort:
		n, err = number(data, 2)
		d.dstPort = uint16(n)
	}
	return err
}

// readState reads the name of the TCP state.
func readState(protoInfo []byte, name *string) error {
	return eachAttribute(protoInfo, func(kind uint16, tcp []byte) error {
		if kind != attrProtoInfoTCP {
			return nil
		}
		*name = states[0]
		return eachAttribute(tcp, func(kind uint16, data []byte) error {
			if kind != attrTCPState {
				return nil
			}
			n, err := number(data, 1)
			*name = stateName(uint8(n))
			return err
		})
	})
}
