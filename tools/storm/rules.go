package main

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// translateServices rewrites the first two bytes of every Service's address,
// as kube-proxy's rules would send it to its only backend.
func translateServices() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "services"})
	chain := conn.AddChain(&nftables.Chain{
		Name: "out", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 2, Len: 4, Mask: []byte{255, 255, 0, 0}, Xor: make([]byte, 4)},
		&expr.Cmp{Register: 2, Op: expr.CmpOpEq, Data: []byte{10, 96, 0, 0}},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: []byte{0, 0, 255, 255}, Xor: []byte{10, 244, 0, 0}},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
	}})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("translate Services: %w", err)
	}
	return nil
}

// everything is all packets, as a share.
const everything = 1000

// lose drops so many of 1,000 TCP segments that reach the calling thread's
// namespace, before conntrack sees them, as if they were lost on their way.
// Segments of the backends of the spared blocks get through.
func lose(perMille uint32, spared ...int) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "loss"}
	conn.AddTable(table) // so that there is one to delete
	conn.DelTable(table)
	conn.AddTable(table)
	chain := conn.AddChain(&nftables.Chain{
		Name: "in", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw,
	})
	for _, block := range spared {
		for _, offset := range []uint32{12, 16} { // of source and destination
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 3},
				&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{10, 244, byte(block)}},
				&expr.Verdict{Kind: expr.VerdictAccept},
			}})
		}
	}
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: append([]byte(linkName), 0)},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Numgen{Register: 1, Modulus: everything, Type: unix.NFT_NG_RANDOM},
		// Comparisons are by bytes, so less-than needs them in network order.
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Register: 1, Op: expr.CmpOpLt, Data: binaryutil.BigEndian.PutUint32(perMille)},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("lose %d of 1000 segments: %w", perMille, err)
	}
	return nil
}
