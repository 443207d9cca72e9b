package nettest

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

// Nowhere gives the calling thread's namespace a device that leads nowhere,
// with some addresses, and routes everything to it.
func Nowhere(t testing.TB, name string, addrs ...string) {
	t.Helper()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "-end"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	end, err := netlink.LinkByName(link.PeerName)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []netlink.Link{link, end} {
		if err := netlink.LinkSetUp(one); err != nil {
			t.Fatal(err)
		}
	}
	for _, prefix := range addrs {
		addr, err := netlink.ParseAddr(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if netip.MustParsePrefix(prefix).Addr().Is6() {
			addr.Flags = 0x02 // IFA_F_NODAD: usable at once
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			t.Fatal(err)
		}
	}
	for _, everything := range []string{"0.0.0.0/0", "::/0"} {
		dst, err := netlink.ParseIPNet(everything)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Index, Dst: dst}); err != nil {
			t.Fatal(err)
		}
	}
}

// Swallow makes a device that leads nowhere accept what is sent to some addresses.
// Without it the kernel finds no neighbour there, and ends a connecting socket within
// three seconds.
func Swallow(t testing.TB, name string, addrs ...string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	nobody := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for _, addr := range addrs {
		neighbour := &netlink.Neigh{
			LinkIndex: link.Attrs().Index, IP: net.ParseIP(addr), HardwareAddr: nobody, State: netlink.NUD_PERMANENT,
		}
		if err := netlink.NeighSet(neighbour); err != nil {
			t.Fatal(err)
		}
	}
}
