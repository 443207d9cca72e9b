package cluster

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

// Refuse answers what a machine should pass on to an address with an ICMP port
// unreachable, and drops what comes from there: otherwise the address would
// repeat for minutes an answer whose acknowledgement is refused.
func (f *faults) Refuse(m Machine, to netip.Addr) error {
	f.net.report("%s answers what goes to %s with an ICMP port unreachable, and passes on nothing from there", m.Name, to)
	if err := dropFrom(m, to); err != nil {
		return err
	}
	family := nftables.TableFamilyIPv6
	if to.Is4() {
		family = nftables.TableFamilyIPv4
	}
	return filter(m.NS, "refuse-"+to.String(), family, nftables.ChainHookForward, destination(single(to), expr.CmpOpEq), reject(family))
}

// DropLarge silently drops the packets larger than size bytes that a machine
// should pass on to an address: a black hole in the path.
func (f *faults) DropLarge(m Machine, to netip.Addr, size uint32) error {
	f.net.report("packets to %s of more than %d bytes vanish at %s", to, size, m.Name)
	return filter(m.NS, "large-"+to.String(), nftables.TableFamilyINet, nftables.ChainHookForward, largerThan(size), ipVersion(to), destination(single(to), expr.CmpOpEq), drop())
}

// DropFrom drops what a machine should pass on from an address.
func (f *faults) DropFrom(m Machine, from netip.Addr) error {
	f.net.report("what %s sends vanishes at %s", from, m.Name)
	return dropFrom(m, from)
}

func dropFrom(m Machine, from netip.Addr) error {
	return filter(m.NS, "from-"+from.String(), nftables.TableFamilyINet, nftables.ChainHookForward, ipVersion(from), source(single(from)), drop())
}

// DropSent drops what the programs in a machine's own namespace send to an
// address.
func (f *faults) DropSent(m Machine, to netip.Addr) error {
	f.net.report("a filter on %s drops what its own programs send to %s", m.Name, to)
	return filter(m.NS, "sent-"+to.String(), nftables.TableFamilyINet, nftables.ChainHookOutput, ipVersion(to), destination(single(to), expr.CmpOpEq), drop())
}

// DropConnects drops each SYN that a pod sends, in its own namespace.
func (f *ownSide) DropConnects(p *Pod) error {
	f.net.report("a filter in pod %s drops its SYNs", p.Name)
	return filter(p.NS, "connects", nftables.TableFamilyINet, nftables.ChainHookOutput, tcpOnly(), flagged(synFlag|ackFlag, synFlag), drop())
}

// DropReceived drops all TCP that reaches a pod, in its own namespace: its node has seen it by
// then.
func (f *ownSide) DropReceived(p *Pod) error {
	f.net.report("a filter in pod %s drops what it receives", p.Name)
	return filter(p.NS, "received", nftables.TableFamilyINet, nftables.ChainHookInput, tcpOnly(), drop())
}

// DropAccepts drops each SYN-ACK that reaches a pod, in its own namespace.
func (f *ownSide) DropAccepts(p *Pod) error {
	f.net.report("a filter in pod %s drops the answers to its SYNs", p.Name)
	return filter(p.NS, "accepts", nftables.TableFamilyINet, nftables.ChainHookInput, tcpOnly(), flagged(synFlag|ackFlag, synFlag|ackFlag), drop())
}

// DropAfterSYN drops what a machine should pass on from an address to others over TCP, but for
// SYNs: a firewall that takes the rest for invalid.
func (f *faults) DropAfterSYN(m Machine, from netip.Addr) error {
	f.net.report("%s passes on only the SYNs of %s", m.Name, from)
	return filter(m.NS, "after-syn-"+from.String(), nftables.TableFamilyINet, nftables.ChainHookForward, ipVersion(from), source(single(from)), tcpOnly(), flagged(synFlag, 0), drop())
}

// LetSend ends DropSent.
func (f *faults) LetSend(m Machine, to netip.Addr) error {
	f.net.report("the filter on %s goes", m.Name)
	return unfilter(m.NS, "sent-"+to.String(), nftables.TableFamilyINet)
}

// Silence drops what a machine itself sends from one of its addresses, and what arrives
// for that address.
func (f *faults) Silence(m Machine, addr netip.Addr) error {
	f.net.report("%s of %s goes silent", addr, m.Name)
	if err := filter(m.NS, "silent-from-"+addr.String(), nftables.TableFamilyINet, nftables.ChainHookOutput, ipVersion(addr), source(single(addr)), drop()); err != nil {
		return err
	}
	return filter(m.NS, "silent-to-"+addr.String(), nftables.TableFamilyINet, nftables.ChainHookInput, ipVersion(addr), destination(single(addr), expr.CmpOpEq), drop())
}

// LoseTo drops the given percentage of what a machine should pass on to an
// address.
func (f *faults) LoseTo(m Machine, to netip.Addr, percent uint32) error {
	f.net.report("%d %% of what is sent to %s is lost", percent, to)
	return filter(m.NS, "lossy-"+to.String(), nftables.TableFamilyINet, nftables.ChainHookForward, ipVersion(to), destination(single(to), expr.CmpOpEq), chance(percent), drop())
}

// isolate drops all that reaches a pod, as a policy that allows nothing does.
func isolate(ns *namespace.Namespace) error {
	return filter(ns, "policy", nftables.TableFamilyINet, nftables.ChainHookInput, tcpOnly(), drop())
}

// filter adds a rule to a namespace, in a table of its own: a filter of a person, a policy
// or a middlebox. It replaces the filter of that name.
func filter(ns *namespace.Namespace, name string, family nftables.TableFamily, hook *nftables.ChainHook, parts ...[]expr.Any) error {
	err := ns.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		t := replaceTable(conn, name, family)
		chain := addChain(conn, t, "rule", nftables.ChainTypeFilter, hook, nftables.ChainPriorityFilter)
		addRule(conn, chain, parts...)
		return conn.Flush()
	})
	if err != nil {
		return fmt.Errorf("filter in %s: %w", ns.Path(), err)
	}
	return nil
}

// unfilter removes the table of a filter.
func unfilter(ns *namespace.Namespace, name string, family nftables.TableFamily) error {
	return ns.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		conn.DelTable(replaceTable(conn, name, family))
		return conn.Flush()
	})
}

// Flags of the TCP header.
const (
	synFlag = 0x02
	ackFlag = 0x10
)

// flagged matches segments that have exactly some flags of a mask, after tcpOnly.
func flagged(mask, have byte) []expr.Any {
	const offset = 13
	return []expr.Any{
		&expr.Payload{DestRegister: regCompare, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 1},
		&expr.Bitwise{SourceRegister: regCompare, DestRegister: regCompare, Len: 1, Mask: []byte{mask}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regCompare, Data: []byte{have}},
	}
}

// largerThan matches packets by their length, IP header included.
func largerThan(size uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyLEN, Register: regCompare},
		// Comparisons are by bytes, so greater-than needs them in network order.
		&expr.Byteorder{SourceRegister: regCompare, DestRegister: regCompare, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpGt, Register: regCompare, Data: binaryutil.BigEndian.PutUint32(size)},
	}
}
