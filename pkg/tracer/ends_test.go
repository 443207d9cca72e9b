package tracer

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestTheEndOfASocketThatOnlyAFileScanFound(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	first := watch(t, inum)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	id := next(t, first).Suspect.ID
	awaitTimeouts(t, first, id, 2)
	second := watch(t, inum)
	if _, err := second.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	awaitTimeouts(t, second, id, 2)
	if err := client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	for {
		if r := next(t, second); r.End != nil && r.End.ID == id {
			return
		}
	}
}

// TestEndsWithoutARingAreShown fills a ring buffer without a reader.
func TestEndsWithoutARingAreShown(t *testing.T) {
	t.Parallel()
	const sockets = 30
	tr := open(t, Options{Scope: []uint32{nettest.Loopback(t)}, RingBytes: uint32(os.Getpagesize())})
	wall := nettest.NewWall(t)
	pending := map[flow.ID]*net.TCPConn{}
	for range sockets {
		client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
		wall.Drop(server.LocalAddr().(*net.TCPAddr).Port)
		userTimeout(t, client, 900*time.Millisecond)
		if _, err := client.Write([]byte("request")); err != nil {
			t.Fatal(err)
		}
		pending[cookie(t, client)] = client
	}
	for _, client := range pending {
		if err := client.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Fatalf("the kernel did not give up: %v", err)
		}
	}
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if c.Lost[flow.StageRing] == 0 {
		t.Fatal("a page of a ring buffer held everything: nothing is shown by this")
	}
	if _, err := snapshot(tr); err != nil {
		t.Fatal(err)
	}
	if len(tr.Records()) == 0 {
		t.Error("the snapshot shows no end")
	}
	// The rest is in the ring: on a slow machine the first sockets die before the
	// last ones are stuck.
	run(t, tr)
	for len(pending) > 0 {
		end := next(t, tr).End
		if end == nil {
			continue
		}
		if pending[end.ID] == nil {
			t.Fatalf("%+v is the end of no socket, or an end twice", end)
		}
		if end.From != flow.Established || end.Unacknowledged != 7 || end.Err != int(syscall.ETIMEDOUT) {
			t.Errorf("ended from %s with errno %d, %d bytes unacknowledged", end.From, end.Err, end.Unacknowledged)
		}
		delete(pending, end.ID)
	}
	if _, err := snapshot(tr); err != nil {
		t.Fatal(err)
	}
	for range len(tr.Records()) {
		if end := next(t, tr).End; end != nil {
			t.Errorf("%+v is an end twice", end)
		}
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(t *testing.T, client, server *net.TCPConn)
		want flow.End
	}{
		{"user timeout", func(t *testing.T, client, _ *net.TCPConn) {
			userTimeout(t, client, 800*time.Millisecond)
		}, flow.End{From: flow.Established, Err: int(syscall.ETIMEDOUT), Unacknowledged: 7}},
		{"closed by its owner", func(t *testing.T, client, _ *net.TCPConn) {
			userTimeout(t, client, 800*time.Millisecond)
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
		}, flow.End{From: flow.FinWait1, Err: int(syscall.ETIMEDOUT), Unacknowledged: 7, Orphan: true}},
		{"reset by the peer", func(t *testing.T, _, server *net.TCPConn) {
			if err := server.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			_ = server.Close()
		}, flow.End{From: flow.Established, Err: int(syscall.ECONNRESET), Unacknowledged: 7, ResetReceived: true}},
		{"linger 0", func(t *testing.T, client, _ *net.TCPConn) {
			if err := client.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			_ = client.Close()
		}, flow.End{From: flow.Established, Unacknowledged: 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			_, _, end := predict(t, tr, func() {
				client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
				hang(t, client, server, "request")
				if next(t, tr).Suspect == nil {
					t.Fatal("no suspect")
				}
				c.end(t, client, server)
			})
			got := flow.End{From: end.From, Err: end.Err, Unacknowledged: end.Unacknowledged, Unsent: end.Unsent, Orphan: end.Orphan, ResetReceived: end.ResetReceived}
			if got != c.want && !(c.name == "linger 0" && got.Orphan) {
				t.Errorf("ended as %+v, want %+v", got, c.want)
			}
		})
	}
}
