package tracer

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestKeepaliveGivesUpAsPredicted holds the keepalive clock to the running
// kernel: the owner of an idle socket reads ETIMEDOUT when it was predicted.
func TestKeepaliveGivesUpAsPredicted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		probes      int
		userTimeout time.Duration
	}{
		{"probes", 2, 0},
		{"a user timeout cuts the probes short", 9, 2500 * time.Millisecond},
		{"a user timeout outlasts the probes", 1, 3500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := open(t, Options{Scope: []uint32{nettest.Loopback(t)}})
			client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			userTimeout(t, client, c.userTimeout)
			setsockopt(t, client, func(fd int) error {
				return errors.Join(
					unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1),
					unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1),
					unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, c.probes),
					unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
				)
			})
			nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
			id := cookie(t, client)
			died := make(chan time.Time, 1)
			go func() {
				if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("read: %v", err)
				}
				died <- time.Now()
			}()
			first := deadline.GivesUp(audited(t, tr, id).Socket)
			last := first
			for deadlineAt := time.Now().Add(patience); time.Now().Before(deadlineAt); {
				select {
				case at := <-died:
					for when, g := range map[string]flow.GivesUp{"first": first, "last": last} {
						// A busy machine wakes the reader late, none early.
						if off := at.Sub(g.At); off < -50*time.Millisecond || off > 200*time.Millisecond {
							t.Errorf("predicted at %s: off by %v", when, off)
						}
					}
					return
				case <-time.After(20 * time.Millisecond):
				}
				if sockets, err := tr.Audit(); err != nil {
					t.Fatal(err)
				} else {
					for _, s := range sockets {
						if s.ID == id {
							last = deadline.GivesUp(s.Socket)
						}
					}
				}
			}
			t.Fatal("the kernel did not give up")
		})
	}
}
