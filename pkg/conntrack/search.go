package conntrack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Search returns the entries of every zone one of whose directions is the
// tuple: the fallback if Lookup, which knows only the default zone, finds none. It
// reads the whole table in the kernel, twice, so it costs milliseconds while
// Lookup costs microseconds. It returns ErrNotFound if there is no such entry.
func (t *Table) Search(ctx context.Context, tuple flow.Tuple) ([]flow.Translation, error) {
	asked, err := normal(tuple)
	if err != nil {
		return nil, fmt.Errorf("search conntrack: %w", err)
	}
	var found []flow.Translation
	keep := func(e flow.Translation) error {
		e.Asked = asked
		found = append(found, e)
		return nil
	}
	isOrig := func(e flow.Translation) bool { return e.Orig == asked }
	isReply := func(e flow.Translation) bool { return e.Reply == asked && e.Orig != asked }
	err = t.filter(ctx, attrTupleOrig, asked, matchTuple, isOrig, keep)
	if err == nil {
		err = t.filter(ctx, attrTupleReply, asked, matchTuple, isReply, keep)
	}
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("search conntrack: %w", err)
	}
	return found, nil
}

// ByReplySource calls fn for every TCP entry, in any zone, whose packets go to
// one of addrs: the source of its reply tuple is that address. The search has
// no socket's tuple, so Asked is Orig, which the connecting socket sends.
// Entries outlive their sockets: an entry alone is not a connection. It ends at
// fn's first error and returns it wrapped. It makes one search of the table for
// each of Searches(addrs).
func (t *Table) ByReplySource(ctx context.Context, addrs []netip.Addr, fn func(flow.Translation) error) error {
	for _, part := range Searches(addrs) {
		if err := t.pass(ctx, part, fn); err != nil {
			return fmt.Errorf("search conntrack for %s: %w", part, err)
		}
	}
	return nil
}

// Searches groups addresses so that ByReplySource searches the table once for
// each group; a caller with other work to do asks for one group at a time. The
// kernel selects entries for one IPv4 address. It cannot select for IPv6, so one
// search reads every IPv6 entry of TCP for all addresses, which costs as much as a
// dump of them. The same for IPv4 would take the time of some forty searches,
// without a pause.
func Searches(addrs []netip.Addr) [][]netip.Addr {
	var parts [][]netip.Addr
	var six []netip.Addr
	for _, addr := range addrs {
		if addr = normalAddr(addr); addr.Is6() {
			six = append(six, addr)
			continue
		}
		parts = append(parts, []netip.Addr{addr})
	}
	if len(six) > 0 {
		parts = append(parts, six)
	}
	return parts
}

// pass searches the table once: for one IPv4 address or any number of IPv6.
func (t *Table) pass(ctx context.Context, addrs []netip.Addr, fn func(flow.Translation) error) error {
	if !addrs[0].IsValid() {
		return errors.New("no address")
	}
	wanted := make(map[netip.Addr]bool, len(addrs))
	for _, addr := range addrs {
		wanted[addr] = true
	}
	anyPort := netip.AddrPortFrom(addrs[0], 0)
	isBackend := func(e flow.Translation) bool { return wanted[e.Reply.Src.Addr()] }
	return t.filter(ctx, attrTupleReply, flow.Tuple{Src: anyPort, Dst: anyPort}, matchSrc|matchProto, isBackend,
		func(e flow.Translation) error {
			e.Asked = e.Orig
			return fn(e)
		})
}

// filter selects entries in the kernel and then once more here: a kernel before
// 5.8 ignores the filter and sends the whole table, and every kernel sends too
// many IPv6 entries.
func (t *Table) filter(ctx context.Context, direction uint16, like flow.Tuple, match uint32,
	selects func(flow.Translation) bool, fn func(flow.Translation) error,
) error {
	req, err := filterRequest(direction, like, match)
	if err != nil {
		return err
	}
	msgs, err := t.askAll(ctx, req)
	if err != nil {
		return err
	}
	for _, msg := range msgs {
		e, err := decode(msg)
		if errors.Is(err, errNotTCP) {
			continue
		}
		if err != nil {
			return err
		}
		if !selects(e) {
			continue
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}
