package cluster

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The register that comparisons read, and those that a translation reads.
const (
	regCompare = 1
	regAddr    = 1
	regPort    = 2
)

// replaceTable empties a table, or makes it, when conn is flushed.
func replaceTable(conn *nftables.Conn, name string, family nftables.TableFamily) *nftables.Table {
	t := &nftables.Table{Name: name, Family: family}
	conn.AddTable(t) // so that there is one to delete
	conn.DelTable(t)
	return conn.AddTable(t)
}

func addChain(conn *nftables.Conn, t *nftables.Table, name string, typ nftables.ChainType, hook *nftables.ChainHook, prio *nftables.ChainPriority) *nftables.Chain {
	return conn.AddChain(&nftables.Chain{Name: name, Table: t, Type: typ, Hooknum: hook, Priority: prio})
}

func addRule(conn *nftables.Conn, chain *nftables.Chain, parts ...[]expr.Any) {
	var exprs []expr.Any
	for _, p := range parts {
		exprs = append(exprs, p...)
	}
	conn.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: exprs})
}

// tcpTo matches TCP to an address and the port of all Services.
func tcpTo(a netip.Addr) []expr.Any {
	return append(destination(single(a), expr.CmpOpEq),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: regCompare},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regCompare, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: regCompare, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regCompare, Data: binary.BigEndian.AppendUint16(nil, Port)},
	)
}

// tcpOnly matches TCP.
func tcpOnly() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: regCompare},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regCompare, Data: []byte{unix.IPPROTO_TCP}},
	}
}

// ipVersion matches packets of an address's family, in tables of both.
func ipVersion(a netip.Addr) []expr.Any {
	family := byte(unix.NFPROTO_IPV6)
	if a.Is4() {
		family = unix.NFPROTO_IPV4
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: regCompare},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regCompare, Data: []byte{family}},
	}
}

// source matches packets that come from a prefix.
func source(p netip.Prefix) []expr.Any {
	return address(p, expr.CmpOpEq, 12, 8)
}

// destination compares where packets go with a prefix.
func destination(p netip.Prefix, op expr.CmpOp) []expr.Any {
	return address(p, op, 16, 24)
}

// address compares what the IP header has at an offset.
func address(p netip.Prefix, op expr.CmpOp, offset4, offset6 uint32) []expr.Any {
	offset := offset4
	if p.Addr().Is6() {
		offset = offset6
	}
	size := uint32(p.Addr().BitLen() / 8)
	return []expr.Any{
		&expr.Payload{DestRegister: regCompare, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Bitwise{SourceRegister: regCompare, DestRegister: regCompare, Len: size, Mask: ipNet(p).Mask, Xor: make([]byte, size)},
		&expr.Cmp{Op: op, Register: regCompare, Data: p.Masked().Addr().AsSlice()},
	}
}

// from and to match the link that a packet came by and leaves by.
func from(link string) []expr.Any { return linkName(expr.MetaKeyIIFNAME, link) }
func to(link string) []expr.Any   { return linkName(expr.MetaKeyOIFNAME, link) }

func linkName(key expr.MetaKey, link string) []expr.Any {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, link)
	return []expr.Any{
		&expr.Meta{Key: key, Register: regCompare},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regCompare, Data: name},
	}
}

// chance matches the given share of packets, at random.
func chance(percent uint32) []expr.Any {
	return []expr.Any{
		&expr.Numgen{Register: regCompare, Modulus: 100, Type: unix.NFT_NG_RANDOM},
		// Comparisons are by bytes, so less-than needs them in network order.
		&expr.Byteorder{SourceRegister: regCompare, DestRegister: regCompare, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpLt, Register: regCompare, Data: binaryutil.BigEndian.PutUint32(percent)},
	}
}

// oneIn matches one packet in n, at random.
func oneIn(n int) []expr.Any {
	if n == 1 {
		return nil
	}
	return []expr.Any{
		&expr.Numgen{Register: regCompare, Modulus: uint32(n), Type: unix.NFT_NG_RANDOM},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regCompare, Data: make([]byte, 4)},
	}
}

// isNew matches the first packet of a connection.
func isNew() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: regCompare},
		&expr.Bitwise{
			SourceRegister: regCompare, DestRegister: regCompare, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitNEW), Xor: make([]byte, 4),
		},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: regCompare, Data: make([]byte, 4)},
	}
}

// translate sends a connection to another address, same port.
func translate(a netip.Addr, port uint16) []expr.Any {
	family := uint32(unix.NFPROTO_IPV4)
	if a.Is6() {
		family = unix.NFPROTO_IPV6
	}
	// Registers 1 and 2 have 16 bytes each: an IPv6 address fits into one.
	return []expr.Any{
		&expr.Immediate{Register: regAddr, Data: a.AsSlice()},
		&expr.Immediate{Register: regPort, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: family, RegAddrMin: regAddr, RegProtoMin: regPort},
	}
}

// reject answers with an ICMP port unreachable.
func reject(family nftables.TableFamily) []expr.Any {
	code := uint8(unix.NFT_REJECT_ICMPX_PORT_UNREACH)
	switch family {
	case nftables.TableFamilyIPv4:
		code = 3 // ICMP_PORT_UNREACH
	case nftables.TableFamilyIPv6:
		code = 4 // ICMPV6_PORT_UNREACH
	}
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: code}}
}

func drop() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}} }
