package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// neighbour returns the state of an address's entry on an interface, or the empty
// string if there is none.
func (t *Table) neighbour(ctx context.Context, addr netip.Addr, link int) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	family := netlink.FAMILY_V4
	if addr.Is6() {
		family = netlink.FAMILY_V6
	}
	entries, err := t.handle.NeighList(link, family)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return "", fmt.Errorf("neighbour %s: %w", addr, err)
	}
	for _, e := range entries {
		if e.IP.Equal(net.IP(addr.AsSlice())) {
			return neighbours[e.State], nil
		}
	}
	return "", nil
}
