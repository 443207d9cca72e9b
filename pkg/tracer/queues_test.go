package tracer

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// What can be asked of a socket's queues (tcp(7)).
const (
	outQueued  = unix.SIOCOUTQ    // written and not acknowledged
	outNotSent = unix.SIOCOUTQNSD // written and not sent
	inQueued   = unix.SIOCINQ     // received and not read
)

func queued(t *testing.T, c *net.TCPConn, what uint) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if e := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), what) }); e != nil {
		t.Fatal(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func awaitQueues(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it did not come to this: %s", what)
}

// fillUp writes until nothing more fits, and returns how much it wrote.
func fillUp(t *testing.T, c *net.TCPConn) (written int) {
	t.Helper()
	for {
		if err := c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Write(make([]byte, 8<<10))
		written += n
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if late && queued(t, c, outNotSent) > 0 {
			return written
		}
		if err != nil && !late { // a busy machine may be late without a full queue
			t.Fatal(err)
		}
	}
}

// brim writes to a peer that does not read, until nothing more fits, and
// returns how much was written and how much of it is not sent. All of the
// rest was acknowledged then.
func brim(t *testing.T, producer *net.TCPConn) (written, unsent int) {
	t.Helper()
	if err := producer.SetWriteBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	written = fillUp(t, producer)
	awaitQueues(t, "all that was sent is acknowledged", func() bool {
		unsent = queued(t, producer, outNotSent)
		return unsent > 0 && queued(t, producer, outQueued) == unsent
	})
	return written, unsent
}

// ping lets the consumer send five bytes that the producer does not read.
func ping(t *testing.T, producer, consumer *net.TCPConn) {
	t.Helper()
	if _, err := consumer.Write([]byte("ping\n")); err != nil {
		t.Fatal(err)
	}
	awaitQueues(t, "the ping has come in", func() bool {
		return queued(t, producer, inQueued) == 5 && queued(t, consumer, outQueued) == 0
	})
}

func state(t *testing.T, c *net.TCPConn) (s flow.TCPState) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		info, e := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err = e; err == nil {
			s = flow.TCPState(info.State)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
