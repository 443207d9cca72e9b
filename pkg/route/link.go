package route

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// link is an interface of this host. The zero value is none.
type link struct {
	name string
	up   bool // an administrator wants it to work
	dead bool // it does not
}

// link returns an interface by its index. One that left in the meantime is none.
func (t *Table) link(ctx context.Context, index int) (link, error) {
	if err := ctx.Err(); err != nil {
		return link{}, err
	}
	l, err := t.handle.LinkByIndex(index)
	var gone netlink.LinkNotFoundError
	switch {
	case errors.As(err, &gone):
		return link{}, nil
	case err != nil:
		return link{}, fmt.Errorf("interface %d: %w", index, err)
	}
	flags := l.Attrs().RawFlags
	up := flags&unix.IFF_UP != 0
	return link{name: l.Attrs().Name, up: up, dead: !up || flags&unix.IFF_LOWER_UP == 0}, nil
}

// interfaceOf returns the interface that has an address.
func (t *Table) interfaceOf(ctx context.Context, addr netip.Addr) (link, error) {
	family := netlink.FAMILY_V4
	if addr.Is6() {
		family = netlink.FAMILY_V6
	}
	all, err := t.handle.AddrList(nil, family)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return link{}, fmt.Errorf("addresses: %w", err)
	}
	for _, a := range all {
		if a.IP.Equal(addr.AsSlice()) {
			return t.link(ctx, a.LinkIndex)
		}
	}
	return link{}, nil
}
