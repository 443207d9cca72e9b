package tracer

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
)

// TestAcceptedSocketsShow holds the kernel's mark to both ends, also once the
// listener is closed, and to a plain TCP listener as to an MPTCP one.
func TestAcceptedSocketsShow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		mptcp bool
	}{{"plain listener", false}, {"MPTCP listener", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			config := net.ListenConfig{}
			config.SetMultipathTCP(c.mptcp)
			listener, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			accepted := make(chan net.Conn, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					t.Error(err)
				}
				accepted <- conn
			}()
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			port := listener.Addr().(*net.TCPAddr).Port
			if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
			server := (<-accepted).(*net.TCPConn)
			defer server.Close()
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			local, err := unix.Getsockname(fd)
			if err != nil {
				t.Fatal(err)
			}
			wall := nettest.NewWall(t)
			wall.Drop(port)
			wall.Drop(local.(*unix.SockaddrInet4).Port)
			if _, err := unix.Write(fd, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := server.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				s := next(t, tr).Suspect
				if want := s.ID == cookie(t, server); s.Accepted != want {
					t.Errorf("socket %s → %s: accepted %v, want %v", s.Local, s.Remote, s.Accepted, want)
				}
			}
		})
	}
}
