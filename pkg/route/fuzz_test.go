package route

import (
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// FuzzAnswer reads next hops and refusals that no kernel would send.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{192, 168, 75, 1}, []byte(nil), 0)
	f.Add([]byte(nil), []byte(net.ParseIP("fe80::1")), int(unix.EHOSTUNREACH))
	f.Add([]byte(net.ParseIP("192.168.75.1")), []byte{1, 2, 3}, int(unix.EINVAL))
	f.Fuzz(func(t *testing.T, gw, via []byte, errno int) {
		r := netlink.Route{Gw: gw}
		if via != nil {
			r.Via = &netlink.Via{Addr: via}
		}
		if addr := gateway(r); addr.Is4In6() {
			t.Errorf("next hop %s", addr)
		}
		if name, kind, ok := refusal(unix.Errno(errno)); ok != (name != "") || !ok && kind != "" {
			t.Errorf("errno %d: %q, %q, %t", errno, name, kind, ok)
		}
	})
}
