package tracer

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// connecting returns a socket that connects in vain, as its owner set it up.
func connecting(t *testing.T, domain int, bind, to string, options ...int) {
	t.Helper()
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	for n := 0; n < len(options); n += 3 {
		if err := unix.SetsockoptInt(fd, options[n], options[n+1], options[n+2]); err != nil {
			t.Fatal(err)
		}
	}
	if bind != "" {
		if err := unix.Bind(fd, at(domain, bind)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Connect(fd, at(domain, to)); !errors.Is(err, unix.EINPROGRESS) {
		t.Fatal(err)
	}
	if len(options) > 0 { // and wipes its traces
		if err := unix.SetsockoptInt(fd, options[0], options[1], 0); err != nil {
			t.Fatal(err)
		}
	}
}

func at(domain int, addrPort string) unix.Sockaddr {
	a := netip.MustParseAddrPort(addrPort)
	if domain == unix.AF_INET {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// TestForeignAddressesShow holds the kernel side to whose address a socket
// connects from.
func TestForeignAddressesShow(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	nettest.Nowhere(t, "d0", "192.0.2.1/24", "192.0.2.2/24", "fd78::1/64")
	nettest.Nowhere(t, "d1", "198.51.100.1/24", "fd79::1/64")
	port := uint16(443)
	for name, c := range map[string]struct {
		domain   int
		bind, to string
		options  []int
		want     bool
	}{
		"IPv4, of the kernel's choice":       {unix.AF_INET, "", "203.0.113.%d", nil, false},
		"IPv4, bound to its own":             {unix.AF_INET, "192.0.2.1:0", "203.0.113.%d", nil, false},
		"IPv4, bound to its second":          {unix.AF_INET, "192.0.2.2:0", "203.0.113.%d", nil, false},
		"IPv4, bound to a port alone":        {unix.AF_INET, "0.0.0.0:0", "203.0.113.%d", nil, false},
		"IPv4, freely bound to its own":      {unix.AF_INET, "192.0.2.1:0", "203.0.113.%d", []int{unix.SOL_IP, unix.IP_FREEBIND, 1}, false},
		"IPv6, of the kernel's choice":       {unix.AF_INET6, "", "[2001:db8::%d]", nil, false},
		"IPv6, bound to its own":             {unix.AF_INET6, "[fd78::1]:0", "[2001:db8::%d]", nil, false},
		"IPv6, on its second device":         {unix.AF_INET6, "[fd79::1]:0", "[2001:db8::%d]", nil, false},
		"IPv6, bound to another's":           {unix.AF_INET6, "[fd78::77]:0", "[2001:db8::%d]", []int{unix.SOL_IPV6, unix.IPV6_FREEBIND, 1}, true},
		"mapped, bound to its own":           {unix.AF_INET6, "[::ffff:192.0.2.2]:0", "[::ffff:203.0.113.%d]", nil, false},
		"mapped, transparently to another's": {unix.AF_INET6, "[::ffff:192.0.2.77]:0", "[::ffff:203.0.113.%d]", []int{unix.SOL_IP, unix.IP_TRANSPARENT, 1}, true},
		"IPv4, transparently to another's":   {unix.AF_INET, "192.0.2.77:0", "203.0.113.%d", []int{unix.SOL_IP, unix.IP_TRANSPARENT, 1}, true},
	} {
		port++ // each to a host of its own: a neighbour that has failed refuses the next
		connecting(t, c.domain, c.bind, fmt.Sprintf(c.to+":%d", port%100, port), c.options...)
		if s := scanned(t, tr, port); s.Foreign != c.want {
			t.Errorf("%s: %+v, want foreign %v", name, s, c.want)
		}
	}
}

// scanned returns the socket that connects as it is after a file scan, which alone
// looks for its address, and finds it on every kernel: up to 6.16 no record shows a
// retransmission that failed.
func scanned(t *testing.T, tr *Tracer, port uint16) (s flow.Socket) {
	t.Helper()
	found := 0 // by a snapshot: the file scan before the first one may have come too early
	for deadline := time.Now().Add(patience); found < 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no file scan has found the socket that connects to port %d", port)
		}
		if _, err := tr.ScanFiles(); err != nil {
			t.Fatal(err)
		}
		sockets, err := snapshot(tr)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range sockets {
			if one.Remote.Port() == port {
				s, found = one, found+1
			}
		}
	}
	return s
}

// A namespace may have more devices and addresses than the kernel side looks
// at: what it did not find is foreign.
func TestForeignBeyondWhatIsLookedAt(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	for n := range 40 { // each of two ends
		nettest.Nowhere(t, fmt.Sprint("d", n), fmt.Sprintf("192.0.%d.1/24", n))
	}
	connecting(t, unix.AF_INET, "192.0.1.1:0", "203.0.113.9:443")
	if s := scanned(t, tr, 443); s.Foreign {
		t.Errorf("%+v, want the second device's address to be its own", s)
	}
	connecting(t, unix.AF_INET, "192.0.39.1:0", "203.0.113.9:444")
	if s := scanned(t, tr, 444); !s.Foreign {
		t.Errorf("%+v, want the last device's address to be foreign", s)
	}
}

// The record of its end says, too, what it connected from.
func TestForeignToTheEnd(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	nettest.Nowhere(t, "d0", "fd78::1/64")
	connecting(t, unix.AF_INET6, "[fd78::77]:0", "[2001:db8::9]:443",
		unix.SOL_IPV6, unix.IPV6_FREEBIND, 1, unix.IPPROTO_TCP, unix.TCP_SYNCNT, 1)
	if s := scanned(t, tr, 443); !s.Foreign {
		t.Errorf("%+v, want a foreign one", s)
	}
	r := next(t, tr)
	for ; r.End == nil; r = next(t, tr) { // a record of a timeout, where the kernel shows one
	}
	if !r.End.Last.Foreign {
		t.Errorf("%+v, want a foreign one", r.End)
	}
}
