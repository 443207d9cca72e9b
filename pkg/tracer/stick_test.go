package tracer

import (
	"net"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
)

// stickInFlight returns a client whose last 7 bytes are never acknowledged.
func stickInFlight(t *testing.T) *net.TCPConn {
	t.Helper()
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	return client
}

// leave closes the socket, so that it has no owner any more.
func leave(t *testing.T, client *net.TCPConn) {
	t.Helper()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
}

// stickConnecting connects, with TCP options set, to a port that swallows.
func stickConnecting(t *testing.T, options map[int]int) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	port := listener.Addr().(*net.TCPAddr).Port
	nettest.NewWall(t).Drop(port)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	for option, value := range options {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != unix.EINPROGRESS {
		t.Fatalf("connect: %v", err)
	}
}

// stickAtZeroWindow returns a client that met a full reader, which then fell
// silent.
func stickAtZeroWindow(t *testing.T) *net.TCPConn {
	t.Helper()
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	fillUp(t, client)
	nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
	return client
}

// stickBeforeSending writes what this host does not let out.
func stickBeforeSending(t *testing.T, refuse func(testing.TB, int)) {
	t.Helper()
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	refuse(t, server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("request")); err != nil {
		t.Fatal(err)
	}
}

// closeWindow makes a socket believe that its peer closed the window, which no
// Linux peer does to data in flight.
func closeWindow(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = closeWindowOf(int(fd)) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

func closeWindowOf(fd int) error {
	const repairOffNoProbe = -1 // TCP_REPAIR_OFF_NO_WP
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1); err != nil {
		return err
	}
	var window struct{ fromSeq, send, max, receive, receiveFrom uint32 } // struct tcp_repair_window
	size := uint32(unsafe.Sizeof(window))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR_WINDOW,
		uintptr(unsafe.Pointer(&window)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return errno
	}
	window.send = 0
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&window)), size)
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_WINDOW, string(raw)); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, repairOffNoProbe)
}
