package tracer

import (
	"net"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestGivesUpAsPredicted holds every clock of pkg/deadline whose socket has
// something outstanding to the running kernel.
func TestGivesUpAsPredicted(t *testing.T) {
	for _, c := range []struct {
		name    string
		sysctls map[string]string // below net.ipv4
		stick   func(t *testing.T)
	}{
		{"tcp_retries2", map[string]string{"tcp_retries2": "3"}, func(t *testing.T) { stickInFlight(t) }},
		{"TCP_USER_TIMEOUT", nil, func(t *testing.T) { userTimeout(t, stickInFlight(t), 3*time.Second) }},
		{"orphan", map[string]string{"tcp_orphan_retries": "3"}, func(t *testing.T) { leave(t, stickInFlight(t)) }},
		{"orphan with TCP_USER_TIMEOUT", map[string]string{"tcp_orphan_retries": "7"}, func(t *testing.T) {
			client := stickInFlight(t)
			userTimeout(t, client, 3*time.Second)
			leave(t, client)
		}},
		{"tcp_syn_retries", map[string]string{"tcp_syn_retries": "1"}, func(t *testing.T) { stickConnecting(t, nil) }},
		{"tcp_syn_retries without linear timeouts", map[string]string{"tcp_syn_retries": "2", "tcp_syn_linear_timeouts": "0"}, func(t *testing.T) {
			stickConnecting(t, nil)
		}},
		{"TCP_SYNCNT", map[string]string{"tcp_syn_retries": "6", "tcp_syn_linear_timeouts": "1"}, func(t *testing.T) {
			stickConnecting(t, map[int]int{unix.TCP_SYNCNT: 1})
		}},
		{"TCP_USER_TIMEOUT while connecting", nil, func(t *testing.T) {
			stickConnecting(t, map[int]int{unix.TCP_USER_TIMEOUT: 4500})
		}},
		{"zero window, silent", map[string]string{"tcp_retries2": "3"}, func(t *testing.T) { stickAtZeroWindow(t) }},
		{"zero window with TCP_USER_TIMEOUT", nil, func(t *testing.T) {
			userTimeout(t, stickAtZeroWindow(t), 4*time.Second)
		}},
		{"refused before the first write", map[string]string{"tcp_retries2": "3"}, func(t *testing.T) { stickBeforeSending(t, nettest.Refuse) }},
		{"a full queue before the first write", map[string]string{"tcp_retries2": "5"}, func(t *testing.T) {
			stickBeforeSending(t, func(t testing.TB, _ int) { nettest.FullQueue(t) })
		}},
		{"window closed with data in flight", map[string]string{"tcp_rto_max_ms": "1000"}, func(t *testing.T) { closeWindow(t, stickInFlight(t)) }},
		{"window closed with data in flight and TCP_USER_TIMEOUT", nil, func(t *testing.T) {
			client := stickInFlight(t)
			userTimeout(t, client, 2500*time.Millisecond)
			closeWindow(t, client)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			for name, value := range c.sysctls {
				if _, err := os.Stat("/proc/sys/net/ipv4/" + name); err != nil {
					t.Skipf("this kernel has no net.ipv4.%s", name)
				}
				nettest.Sysctl(t, "ipv4/"+name, value)
			}
			c.stick(t)
			first, last, end := predict(t, tr)
			if got := diagnosis.Outcome(end); got != flow.TimedOut {
				t.Fatalf("it ended as %s", got)
			}
			if off := end.At.Sub(first.At).Abs(); off > 200*time.Millisecond {
				t.Errorf("predicted at first: off by %v", end.At.Sub(first.At))
			}
			if off := end.At.Sub(last.At).Abs(); off > 50*time.Millisecond {
				t.Errorf("predicted at last: off by %v", end.At.Sub(last.At))
			}
		})
	}
}

// stickInFlight returns a client whose last 7 bytes nobody acknowledges.
func stickInFlight(t *testing.T) *net.TCPConn {
	t.Helper()
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	return client
}

// leave closes the socket, so that nobody owns it any more.
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

// fillUp writes until the reader's window is shut and nothing is in flight.
func fillUp(t *testing.T, client *net.TCPConn) {
	t.Helper()
	if err := client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := client.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
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

// predict watches the one suspect of its namespace until it ends and returns
// the first and the last prediction.
func predict(t *testing.T, tr *Tracer) (first, last flow.GivesUp, end flow.End) {
	t.Helper()
	for deadlineAt := time.Now().Add(patience); time.Now().Before(deadlineAt); {
		select {
		case r := <-tr.Records():
			if r.End != nil {
				return first, last, *r.End
			}
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := tr.Sweep(); err != nil {
			t.Fatal(err)
		}
		sockets, err := tr.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sockets {
			g := deadline.GivesUp(s)
			if g.At.IsZero() {
				continue
			}
			if first.At.IsZero() {
				first = g
			}
			last = g
		}
	}
	t.Fatal("the kernel did not give up")
	return first, last, end
}
