package tracer

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// blind takes programs away, where the kernel has what they attach to: without
// more, the one that sees connections end.
func blind(t *testing.T, tr *Tracer, more ...string) {
	t.Helper()
	for _, name := range append(more, tcpstuckProgSetState) {
		l := tr.links[name]
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		delete(tr.links, name)
	}
}

// fails waits until the owner of a connection learns from the kernel that it is over.
func fails(t *testing.T, c *net.TCPConn, want syscall.Errno) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, want) {
		t.Fatalf("its owner read %v, want %v", err, want)
	}
}

func unseen(t *testing.T, tr *Tracer) uint64 {
	t.Helper()
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c.Lost[flow.StageUnseen]
}

func TestAnEndThatTheKernelDidNotShow(t *testing.T) {
	t.Parallel()
	reset := func(t *testing.T, server *net.TCPConn) {
		if err := server.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		_ = server.Close()
	}
	timedOut := flow.End{From: flow.Established, Err: int(syscall.ETIMEDOUT), Unacknowledged: 7}
	wasReset := flow.End{From: flow.Established, Err: int(syscall.ECONNRESET), Unacknowledged: 7, ResetReceived: true}
	for _, c := range []struct {
		name string
		kill func(*testing.T, *net.TCPConn) // nil: the kernel aborts it
		held bool                           // its owner does not look
		want flow.End
	}{
		{name: "timed out, its owner knows and has closed it", want: timedOut},
		{name: "timed out, its owner holds it", held: true, want: timedOut},
		{name: "reset, its owner knows and has closed it", kill: reset, want: wasReset},
		{name: "reset, its owner holds it", kill: reset, held: true, want: wasReset},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			hang(t, client, server, "request")
			id := next(t, tr).Suspect.ID
			blind(t, tr)
			if c.kill != nil {
				c.kill(t, server)
			} else {
				userTimeout(t, client, 800*time.Millisecond)
			}
			if !c.held {
				fails(t, client, syscall.Errno(c.want.Err))
				_ = client.Close()
			}
			end := awaitEnd(t, tr, c.held)
			got := flow.End{From: end.From, Err: end.Err, Unacknowledged: end.Unacknowledged, Unsent: end.Unsent, ResetReceived: end.ResetReceived}
			if end.ID != id || got != c.want {
				t.Errorf("%s ended as %+v, want %s as %+v", end.ID, got, id, c.want)
			}
			if n := unseen(t, tr); n != 1 {
				t.Errorf("%d ends were counted as unseen", n)
			}
			if reason := diedOf(t, tr); reason != c.want.Err {
				t.Errorf("what died with it was counted as of errno %d", reason)
			}
		})
	}
}

// awaitEnd waits for an end. Meanwhile it looks where that is wanted, as the agent
// does: at the files, and at what is new.
func awaitEnd(t *testing.T, tr *Tracer, look bool) *flow.End {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if look {
			_, err := tr.ScanFiles()
			if err := errors.Join(err, tr.Incremental(nil, func(flow.Socket) {})); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case r := <-tr.Records():
			if r.End != nil {
				return r.End
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("nothing reported its end")
	return nil
}

// diedOf returns the errno of the reason for which bytes were counted.
func diedOf(t *testing.T, tr *Tracer) int {
	t.Helper()
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case c.Losses[flow.LostTimedOut].Unacknowledged == 7:
		return int(syscall.ETIMEDOUT)
	case c.Losses[flow.LostResetByPeer].Unacknowledged == 7:
		return int(syscall.ECONNRESET)
	}
	return 0
}

// countedOnly waits until an end is counted, and demands that nothing is reported
// of it: the next record is that of another connection.
func countedOnly(t *testing.T, tr *Tracer) {
	t.Helper()
	for deadline := time.Now().Add(patience); unseen(t, tr) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was not counted")
		}
	}
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "another request")
	if r := next(t, tr); r.End != nil {
		t.Errorf("an end was made up: %+v", r.End)
	}
}

// TestAnEndThatNobodyKnows: its owner threw it away, and nothing on it says so.
// It is counted, and no cause of death is made up.
func TestAnEndThatNobodyKnows(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	next(t, tr)
	blind(t, tr)
	if err := client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	countedOnly(t, tr)
}

// TestAResetThatNobodySawIsNoTimeOut: its owner took the error and holds the
// socket until the timer would have run out.
func TestAResetThatNobodySawIsNoTimeOut(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	rto := next(t, tr).Suspect.RTO
	blind(t, tr, tcpstuckProgReceiveReset)
	if err := server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	fails(t, client, syscall.ECONNRESET)
	for deadline := time.Now().Add(4 * rto); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := snapshot(tr); err != nil {
			t.Fatal(err)
		}
	}
	_ = client.Close()
	countedOnly(t, tr)
}

// timedOut returns a connection that was suspected and seen to time out, and
// that its owner holds.
func timedOut(t *testing.T, tr *Tracer) *net.TCPConn {
	t.Helper()
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	next(t, tr)
	userTimeout(t, client, 800*time.Millisecond)
	fails(t, client, syscall.ETIMEDOUT)
	if next(t, tr).End == nil {
		t.Fatal("its end was not seen")
	}
	return client
}

// TestAnEndThatWasShownIsNotUnseen: the last look finds nothing to make up for.
func TestAnEndThatWasShownIsNotUnseen(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	_ = timedOut(t, tr).Close()
	if _, err := snapshot(tr); err != nil {
		t.Fatal(err)
	}
	if n := unseen(t, tr); n != 0 || len(tr.Records()) != 0 {
		t.Errorf("%d ends were counted as unseen, %d were reported again", n, len(tr.Records()))
	}
}

// connectAgain has the socket of a connection that is over open another one.
func connectAgain(t *testing.T, c *net.TCPConn) (server *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		unspecified := unix.RawSockaddr{Family: unix.AF_UNSPEC} // dissolves what was
		if _, _, errno := unix.Syscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&unspecified)), unsafe.Sizeof(unspecified)); errno != 0 {
			err = errno
			return
		}
		to := listener.Addr().(*net.TCPAddr).AddrPort()
		err = unix.Connect(int(fd), &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	return accepted.(*net.TCPConn)
}

// TestTheSecondLifeOfASocket: that its first one was seen to end says nothing
// of the second.
func TestTheSecondLifeOfASocket(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client := timedOut(t, tr)
	userTimeout(t, client, 3*time.Second)
	hang(t, client, connectAgain(t, client), "another")
	if next(t, tr).Suspect == nil {
		t.Fatal("the second was not suspected")
	}
	blind(t, tr)
	fails(t, client, syscall.ETIMEDOUT)
	_ = client.Close()
	if end := awaitEnd(t, tr, false); end.Err != int(syscall.ETIMEDOUT) || int(end.Unacknowledged) != len("another") {
		t.Errorf("the second ended as %+v", end)
	}
}
