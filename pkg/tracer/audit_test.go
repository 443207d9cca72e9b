package tracer

import (
	"bytes"
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestDecodeAudited(t *testing.T) {
	a := tcpstuckAudited{Reading: stuck(), Rcvtimeo: 1500, Sndtimeo: math.MaxInt64}
	a.Reading.Kind = uint8(tcpstuckReadingKindREADING_AUDITED)
	raw := bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&a)), auditedSize))
	s, err := decodeAudited(raw, hz250)
	if err != nil {
		t.Fatal(err)
	}
	if s.ReceiveTimeout != 6*time.Second || s.SendTimeout != 0 || s.ID != 0x1f3a || s.Live {
		t.Errorf("%+v", s)
	}
	if _, err := decodeAudited(raw[:auditedSize-1], hz250); !errors.Is(err, errShort) {
		t.Errorf("one byte short: %v", err)
	}
}

func setsockopt(t *testing.T, c *net.TCPConn, set func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// audited returns what an audit reads of one socket.
func audited(t *testing.T, tr *Tracer, id flow.ID) flow.AuditSocket {
	t.Helper()
	sockets, err := tr.Audit()
	if err != nil {
		t.Fatal(err)
	}
	var found []flow.AuditSocket
	for _, s := range sockets {
		if s.ID == id {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("socket %s is in the audit %d times", id, len(found))
	}
	return found[0]
}

func TestAuditReadsSettings(t *testing.T) {
	inum := nettest.Loopback(t)
	nettest.Sysctl(t, "ipv4/tcp_keepalive_time", "300")
	nettest.Sysctl(t, "ipv4/tcp_keepalive_intvl", "20")
	nettest.Sysctl(t, "ipv4/tcp_keepalive_probes", "5")
	tr := open(t, Options{Scope: []uint32{inum}})
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	setsockopt(t, client, func(fd int) error {
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 7}),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: 500_000}),
		)
	})
	userTimeout(t, client, 9*time.Second)
	setsockopt(t, server, func(fd int) error {
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 3),
		)
	})
	c := audited(t, tr, cookie(t, client))
	if c.Accepted || c.Keepalive || c.UserTimeout != 9*time.Second || c.ReceiveTimeout != 7*time.Second || c.SendTimeout != 500*time.Millisecond {
		t.Errorf("client %+v", c)
	}
	if int(c.PID) != os.Getpid() || c.Comm == "" || c.FD <= 0 || c.NetNS != inum || c.State != flow.Established {
		t.Errorf("client %+v, want it to be this process's", c)
	}
	if c.KeepaliveIdle < 10*time.Second {
		t.Errorf("client %+v", c)
	}
	s := audited(t, tr, cookie(t, server))
	if !s.Accepted || !s.Keepalive || s.UserTimeout != 0 || s.ReceiveTimeout != 0 || s.SendTimeout != 0 || s.KeepaliveInterval != 3*time.Second {
		t.Errorf("server %+v", s)
	}
}

func TestAuditReadsTheNamespacesKeepalive(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	nettest.Sysctl(t, "ipv4/tcp_keepalive_time", "300")
	nettest.Sysctl(t, "ipv4/tcp_keepalive_intvl", "20")
	nettest.Sysctl(t, "ipv4/tcp_keepalive_probes", "5")
	tr := open(t, Options{Scope: []uint32{inum}})
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	port := listener.Addr().(*net.TCPAddr).Port
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	second, err := unix.Dup(fd) // and the audit shows it once all the same
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(second)
	id, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		t.Fatal(err)
	}
	s := audited(t, tr, flow.ID(id))
	if s.Keepalive || s.KeepaliveIdle != 5*time.Minute || s.KeepaliveInterval != 20*time.Second || s.KeepaliveProbes != 5 {
		t.Errorf("%+v, want the namespace's 300 s, 20 s, 5", s)
	}
	if got := deadline.GivesUp(s.Socket); !got.Never {
		t.Errorf("idle without keepalive: gives up at %v", got.At)
	}
}

// TestAuditOfEveryClass audits real sockets, one of each class.
func TestAuditOfEveryClass(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	tr := open(t, Options{Scope: []uint32{inum}})
	want := map[flow.ID]audit.Class{}
	for class, set := range map[audit.Class]struct{ keepalive, userTimeoutMS int }{
		audit.Unbounded:        {0, 0},
		audit.KeepaliveOnly:    {1, 0},
		audit.UserTimeoutOnly:  {0, 30_000},
		audit.KeepaliveClipped: {1, 70_000},
		audit.KeepaliveIgnored: {1, 91_000},
		audit.Bounded:          {1, 90_000},
	} {
		client, _ := nettest.Pair(t, "tcp4", "127.0.0.1:0")
		setsockopt(t, client, func(fd int) error {
			return errors.Join(
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60),
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 10),
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3),
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, set.keepalive),
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, set.userTimeoutMS),
			)
		})
		want[cookie(t, client)] = class
	}
	sockets, err := tr.Audit()
	if err != nil {
		t.Fatal(err)
	}
	got := map[flow.ID]audit.Class{}
	for _, s := range sockets {
		if _, ours := want[s.ID]; ours {
			got[s.ID] = audit.Classify(s.Socket)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPeersAreWhomTheConnectionsLeadTo(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	tr := open(t, Options{Scope: []uint32{inum}})
	nettest.Pair(t, "tcp4", "127.0.0.7:0")
	peers, err := tr.Peers()
	if err != nil {
		t.Fatal(err)
	}
	want := map[netip.Addr]struct{}{netip.MustParseAddr("127.0.0.7"): {}, netip.MustParseAddr("127.0.0.1"): {}}
	if diff := cmp.Diff(want, peers, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}
