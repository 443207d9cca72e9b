package tracer

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func kinds(t *testing.T, tr *Tracer) map[flow.RetransmissionKind]uint64 {
	t.Helper()
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c.Retransmissions
}

// awaitKind does something again and again until a kind is counted.
func awaitKind(t *testing.T, tr *Tracer, kind flow.RetransmissionKind, do func()) {
	t.Helper()
	for deadline := time.Now().Add(patience); kinds(t, tr)[kind] == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no retransmission of kind %s: %v", kind, kinds(t, tr))
		}
		do()
	}
}

func TestRetransmissionsAreCountedByKind(t *testing.T) {
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	port := server.LocalAddr().(*net.TCPAddr).Port
	wall := nettest.NewWall(t)
	// Some of what flows is lost, and what comes behind it says so.
	block := make([]byte, 8<<20)
	awaitKind(t, tr, flow.KindFast, func() {
		done := make(chan error, 2)
		go func() {
			_, err := client.Write(block)
			done <- err
		}()
		go func() {
			_, err := io.ReadFull(server, make([]byte, len(block)))
			done <- err
		}()
		wall.Drop(port)
		wall.Open()
		for range cap(done) {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	})
	// The kernel sends no second probe before an acknowledgement beyond the first (tcp_send_loss_probe),
	// and the end of the block may have been one.
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		if _, err := way[0].Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way[1], make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	before := kinds(t, tr)
	wall.Drop(port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	id := cookie(t, client)
	first := awaitTimeouts(t, tr, id, 2).Timeouts
	after := kinds(t, tr)
	last := awaitTimeouts(t, tr, id, 2).Timeouts
	if n := int(after[flow.KindTimeout] - before[flow.KindTimeout]); n < first || n > last {
		t.Errorf("%d timeouts counted, and the socket had %d to %d", n, first, last)
	}
	if after[flow.KindTailLossProbe] == before[flow.KindTailLossProbe] {
		t.Errorf("no tail loss probe counted before a timeout: %v", after)
	}
	connecting(t, unix.AF_INET, "127.0.0.1:0", fmt.Sprintf("127.0.0.1:%d", port))
	awaitKind(t, tr, flow.KindSYN, func() {})
}
