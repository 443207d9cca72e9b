package conntrack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// errEnough ends a search that has its answer.
var errEnough = errors.New("enough")

// Translates reports whether an entry, in any zone, sends connections to addr
// elsewhere: whether this node's nf_conntrack translates that Service. It
// reads the whole table in the kernel, as Search does.
func (t *Table) Translates(ctx context.Context, addr netip.Addr) (bool, error) {
	addr = normalAddr(addr)
	if !addr.IsValid() {
		return false, errors.New("search conntrack: no address")
	}
	anyPort := netip.AddrPortFrom(addr, 0)
	translated := func(e flow.Translation) bool { return e.Orig.Dst.Addr() == addr && e.Reply.Src.Addr() != addr }
	err := t.filter(ctx, attrTupleOrig, flow.Tuple{Src: anyPort, Dst: anyPort}, matchDst|matchProto, translated,
		func(flow.Translation) error { return errEnough })
	if errors.Is(err, errEnough) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("search conntrack for %s: %w", addr, err)
	}
	return false, nil
}
