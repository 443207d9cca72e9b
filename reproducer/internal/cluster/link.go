package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

// The functions of this file work in the calling thread's namespace: call
// them in Namespace.Do.

// connect makes a link called name. Its other end is called peer and lies in another
// namespace. Both ends stay down.
func connect(name, peer string, other *namespace.Namespace, mac net.HardwareAddr) error {
	file, err := os.Open(other.Path())
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer file.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = name, mac
	link := &netlink.Veth{LinkAttrs: attrs, PeerName: peer, PeerNamespace: netlink.NsFd(file.Fd())}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("make link %s: %w", name, err)
	}
	return nil
}

// up sets a link up and gives it addresses.
func up(name string, addrs ...netip.Prefix) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find link %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("set link %s up: %w", name, err)
	}
	for _, a := range addrs {
		addr := &netlink.Addr{IPNet: ipNet(a), Flags: unix.IFA_F_NODAD}
		if a.Addr().Is4() {
			addr.Flags = 0
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return nil, fmt.Errorf("add address %s to %s: %w", a, name, err)
		}
	}
	return link, nil
}

// down sets a link down; it is no error if there is none.
func down(name string) error {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		return fmt.Errorf("set link %s down: %w", name, err)
	}
	return nil
}

// routeVia sends dst to a gateway.
func routeVia(dst netip.Prefix, via netip.Addr, link netlink.Link) error {
	return addRoute(&netlink.Route{Dst: ipNet(dst), Gw: via.AsSlice(), LinkIndex: link.Attrs().Index})
}

// routeTo adds a route: dst is at the other end of link.
func routeTo(dst netip.Prefix, link netlink.Link) error {
	return addRoute(&netlink.Route{Dst: ipNet(dst), LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK})
}

// blackhole drops what goes to dst and has no better route.
func blackhole(dst netip.Prefix) error {
	return addRoute(&netlink.Route{Dst: ipNet(dst), Type: unix.RTN_BLACKHOLE})
}

func addRoute(r *netlink.Route) error {
	if err := netlink.RouteAdd(r); err != nil {
		return fmt.Errorf("add route to %s: %w", r.Dst, err)
	}
	return nil
}

// unroute removes the route to dst; it is no error if there is none.
func unroute(dst netip.Prefix) error {
	err := netlink.RouteDel(&netlink.Route{Dst: ipNet(dst)})
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove route to %s: %w", dst, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
