package tracer

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const patience = time.Minute

// watch opens a tracer on the test's own namespace and runs it.
func watch(t testing.TB, scope ...uint32) *Tracer {
	t.Helper()
	tr := open(t, Options{Scope: scope})
	run(t, tr)
	return tr
}

// run reads the tracer's ring buffer until the test ends.
func run(t testing.TB, tr *Tracer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func next(t *testing.T, tr *Tracer) Record {
	t.Helper()
	select {
	case r := <-tr.Records():
		return r
	case <-time.After(patience):
		counters, err := tr.Counters()
		t.Fatalf("the kernel side sent no record; it lost %v, and counted %v: %v", counters.Lost, counters.Losses, err)
		return Record{}
	}
}

func cookie(t *testing.T, c *net.TCPConn) flow.ID {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var id uint64
	if err := raw.Control(func(fd uintptr) { id, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE) }); err != nil {
		t.Fatal(err)
	}
	return flow.ID(id)
}

// hang lets some bytes through, builds a wall and writes the payload at it.
func hang(t *testing.T, client, server *net.TCPConn, payload string) {
	t.Helper()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte(payload)); err != nil {
		t.Fatal(err)
	}
}

func TestRTOWithoutProgressIsOneRecord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, network, address string }{
		{"IPv4", "tcp4", "127.0.0.1:0"},
		{"IPv6", "tcp6", "[::1]:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inum := nettest.Loopback(t)
			tr := watch(t, inum)
			client, server := nettest.Pair(t, c.network, c.address)
			wrote := time.Now()
			hang(t, client, server, "request")
			s := next(t, tr).Suspect
			if s == nil {
				t.Fatal("no suspect")
			}
			if s.ID != cookie(t, client) || s.NetNS != inum {
				t.Errorf("it is socket %s of namespace %d, want %s of %d", s.ID, s.NetNS, cookie(t, client), inum)
			}
			if got, want := s.Local.String(), client.LocalAddr().String(); got != want {
				t.Errorf("local address %s, want %s", got, want)
			}
			if got, want := s.Remote.String(), server.LocalAddr().String(); got != want {
				t.Errorf("remote address %s, want %s", got, want)
			}
			if s.Unacknowledged != 7 || s.Unsent != 0 || !s.Live || s.State != flow.Established || s.Timeouts != 1 {
				t.Errorf("reading %+v, want 7 unacknowledged bytes at the first RTO", *s)
			}
			if s.Since.Before(wrote) || s.Since.After(time.Now()) {
				t.Errorf("since %v, want between the write at %v and now", s.Since, wrote)
			}
			// The second RTO is no second record.
			awaitTimeouts(t, tr, s.ID, 3)
			select {
			case r := <-tr.Records():
				t.Errorf("a second record of one episode: %+v", r)
			default:
			}
		})
	}
}

func TestMappedSocketIsUnmapped(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	conn := dialMapped(t, port)
	nettest.NewWall(t).Drop(port)
	if _, err := unix.Write(conn, []byte("x")); err != nil {
		t.Fatal(err)
	}
	s := next(t, tr).Suspect
	if s == nil || !s.Mapped || !s.Remote.Addr().Is4() || !s.Local.Addr().Is4() {
		t.Errorf("reading %+v, want unmapped IPv4 addresses of a mapped socket", s)
	}
}

// dialMapped connects an AF_INET6 socket to ::ffff:127.0.0.1.
func dialMapped(t *testing.T, port int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	to := &unix.SockaddrInet6{Port: port, Addr: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}}
	if err := unix.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	return fd
}

// awaitTimeouts reads snapshots until the socket has seen n RTOs.
func awaitTimeouts(t *testing.T, tr *Tracer, id flow.ID, n int) flow.Socket {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		sockets, err := snapshot(tr)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sockets {
			if s.ID == id && s.Timeouts >= n {
				return s
			}
		}
	}
	t.Fatalf("socket %s did not see %d RTOs", id, n)
	return flow.Socket{}
}

func TestAFileScanGivesOwnerAndListener(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	tr := watch(t, inum)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "x")
	id := next(t, tr).Suspect.ID
	listeners, err := tr.ScanFiles()
	if err != nil {
		t.Fatal(err)
	}
	if len(listeners) != 1 || listeners[0].NetNS != inum || listeners[0].Local.String() != server.LocalAddr().String() {
		t.Errorf("listeners %v, want %s in %d", listeners, server.LocalAddr(), inum)
	}
	s := awaitTimeouts(t, tr, id, 1)
	if int(s.PID) != os.Getpid() || s.Comm == "" || s.FD <= 0 {
		t.Errorf("owner %d %q fd %d, want this process", s.PID, s.Comm, s.FD)
	}
}

func TestSocketsStuckBeforeTheAgentAreFound(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	first := watch(t, inum)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	id := next(t, first).Suspect.ID
	before := awaitTimeouts(t, first, id, 2)

	second := open(t, Options{Scope: []uint32{inum}})
	if _, err := second.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	after := awaitTimeouts(t, second, id, 2)
	if d := after.Since.Sub(before.Since).Abs(); d > 20*time.Millisecond {
		t.Errorf("the age differs by %v after a restart: %v and %v", d, before.Since, after.Since)
	}
}

func TestEachEpisodeIsReported(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	port := server.LocalAddr().(*net.TCPAddr).Port
	wall := nettest.NewWall(t)
	var reported time.Time
	for n := range 2 {
		wall.Drop(port)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		s := next(t, tr).Suspect
		if s == nil || s.ID != cookie(t, client) || s.Timeouts < 1 {
			t.Fatalf("episode %d: %+v", n+1, s)
		}
		if n > 0 && s.Since.Before(reported) {
			t.Errorf("the second episode began %v before the first was reported", reported.Sub(s.Since))
		}
		reported = time.Now()
		wall.Open()
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecoveryIsShown(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	wall := nettest.NewWall(t)
	wall.Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	id := next(t, tr).Suspect.ID
	wall.Open()
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		sockets, err := snapshot(tr)
		if err != nil {
			t.Fatal(err)
		}
		if len(sockets) == 1 && sockets[0].ID == id && !sockets[0].Live {
			return
		}
	}
	t.Error("no snapshot showed that the flow recovered")
}

func userTimeout(t *testing.T, c *net.TCPConn, d time.Duration) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	}); err != nil {
		t.Fatal(err)
	}
}

func TestScopeHidesOtherNamespaces(t *testing.T) {
	t.Parallel()
	privtest.Require(t)
	inum := nettest.Loopback(t)
	outside := []*Tracer{watch(t, 1), watch(t, 1, 2, 3, 4, 5)} // no namespace has these numbers
	inside := []*Tracer{watch(t, inum), watch(t, 1, 2, 3, inum), watch(t, 1, 2, 3, 4, 5, inum)}
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "x")
	for _, tr := range inside {
		next(t, tr)
	}
	for _, tr := range outside {
		if _, err := tr.ScanFiles(); err != nil {
			t.Fatal(err)
		}
		sockets, err := snapshot(tr)
		if err != nil {
			t.Fatal(err)
		}
		if len(sockets) != 0 {
			t.Errorf("outside its scope it saw %+v", sockets)
		}
	}
}
