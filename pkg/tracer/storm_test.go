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

// crowd is more sockets than fit into some buffers of an iterator (32 KiB).
const crowd = 600

// connections returns n clients of one listener, and its ends of them.
func connections(t *testing.T, n int) (clients, servers []*net.TCPConn, port int) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	port = listener.Addr().(*net.TCPAddr).Port
	for range n {
		client, err := net.Dial("tcp4", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		clients, servers = append(clients, client.(*net.TCPConn)), append(servers, server.(*net.TCPConn))
	}
	return clients, servers, port
}

func writeAll(t *testing.T, clients []*net.TCPConn) {
	t.Helper()
	for _, c := range clients {
		if _, err := c.Write([]byte("request")); err != nil {
			t.Fatal(err)
		}
	}
}

// shownNow returns what an incremental snapshot shows now, by flow.
func shownNow(t *testing.T, tr *Tracer) map[flow.ID]flow.Socket {
	t.Helper()
	shown := map[flow.ID]flow.Socket{}
	var sockets []flow.Socket
	if err := tr.Incremental(nil, func(s flow.Socket) { sockets = append(sockets, s) }); err != nil {
		t.Fatal(err)
	}
	for _, s := range sockets {
		shown[s.ID] = s
	}
	if len(shown) < len(sockets) {
		t.Errorf("%d readings of %d flows", len(sockets), len(shown))
	}
	return shown
}

// awaitEach returns once tr has a record of each client's data. On a slow machine
// a client's SYN may have timed out before, which is a record of its own.
func awaitEach(t *testing.T, tr *Tracer, clients []*net.TCPConn) {
	t.Helper()
	pending := map[flow.ID]bool{}
	for _, c := range clients {
		pending[cookie(t, c)] = true
	}
	for len(pending) > 0 {
		if s := next(t, tr).Suspect; s != nil && s.State != flow.SynSent {
			delete(pending, s.ID)
		}
	}
}

// TestEachOfManyAtOnceIsShown: a socket that meets a full buffer is shown again.
func TestEachOfManyAtOnceIsShown(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	before := watch(t, inum)
	clients, _, port := connections(t, crowd)
	wall := nettest.NewWall(t)
	wall.Drop(port)
	writeAll(t, clients)
	awaitEach(t, before, clients)
	late := open(t, Options{Scope: []uint32{inum}})
	if _, err := late.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	if shown := shownNow(t, late); len(shown) != crowd {
		t.Errorf("%d of %d flows that are stuck were shown", len(shown), crowd)
	}
	if _, err := late.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	if shown := shownNow(t, late); len(shown) != 0 {
		t.Errorf("%d flows were shown twice", len(shown))
	}
	wall.Open()
	recovered := map[flow.ID]bool{}
	for deadline := time.Now().Add(patience); len(recovered) < crowd && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for id, s := range shownNow(t, late) {
			if s.Live || recovered[id] {
				t.Fatalf("flow %s is shown as %+v, recovered before: %v", id, s, recovered[id])
			}
			recovered[id] = true
		}
	}
	if len(recovered) != crowd {
		t.Errorf("%d of %d recoveries were shown", len(recovered), crowd)
	}
}

// TestEachOfManyEndsIsShown: no record brings them, for the ring is a page, and
// the queue has no room for all that a read shows.
func TestEachOfManyEndsIsShown(t *testing.T) {
	t.Parallel()
	tr := open(t, Options{Scope: []uint32{nettest.Loopback(t)}, RingBytes: uint32(os.Getpagesize()), QueueLength: crowd / 10})
	clients, _, port := connections(t, crowd)
	nettest.NewWall(t).Drop(port)
	pending := map[flow.ID]bool{}
	for _, c := range clients {
		userTimeout(t, c, 900*time.Millisecond)
		pending[cookie(t, c)] = true
	}
	writeAll(t, clients)
	for _, c := range clients {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Fatalf("the kernel did not give up: %v", err)
		}
	}
	run(t, tr) // what the ring had room for
	for deadline := time.Now().Add(patience); len(pending) > 0 && time.Now().Before(deadline); {
		if _, err := snapshot(tr); err != nil {
			t.Fatal(err)
		}
		for range len(tr.Records()) {
			if r := next(t, tr); r.End != nil {
				delete(pending, r.End.ID)
			}
		}
	}
	if len(pending) > 0 {
		t.Errorf("%d of %d ends were not shown", len(pending), crowd)
	}
}

// TestWhatFoundNoRoomIsNew: a record that the ring had no room for was never
// reported.
func TestWhatFoundNoRoomIsNew(t *testing.T) {
	t.Parallel()
	tr := open(t, Options{Scope: []uint32{nettest.Loopback(t)}, RingBytes: uint32(os.Getpagesize())})
	clients, _, port := connections(t, crowd)
	nettest.NewWall(t).Drop(port)
	writeAll(t, clients)
	held := map[flow.ID]bool{}
	for deadline := time.Now().Add(patience); len(held) < crowd-os.Getpagesize()/readingSize && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for id := range shownNow(t, tr) {
			held[id] = true
		}
	}
	run(t, tr) // what the ring had room for
	for deadline := time.After(patience); len(held) < crowd; {
		select {
		case r := <-tr.Records():
			if r.Suspect != nil {
				held[r.Suspect.ID] = true
			}
		case <-deadline:
			t.Fatalf("%d of %d flows were shown", len(held), crowd)
		}
	}
}
