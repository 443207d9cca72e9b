package tracer

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// idlers makes a file scan and returns the suspects.
func idlers(t *testing.T, tr *Tracer) map[flow.ID]flow.Socket {
	t.Helper()
	if _, err := tr.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	sockets, err := snapshot(tr)
	if err != nil {
		t.Fatal(err)
	}
	live := map[flow.ID]flow.Socket{}
	for _, s := range sockets {
		if s.Live {
			live[s.ID] = s
		}
	}
	return live
}

func tupleOf(c *net.TCPConn) flow.Tuple {
	return flow.Tuple{Src: netip.MustParseAddrPort(c.LocalAddr().String()), Dst: netip.MustParseAddrPort(c.RemoteAddr().String())}
}

func TestIdleSocketsOfGonePeers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, network, address string }{
		{"IPv4", "tcp4", "127.0.0.1:0"},
		{"IPv6", "tcp6", "[::1]:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			client, server := nettest.Pair(t, c.network, c.address)
			id := cookie(t, client)
			if got := idlers(t, tr); len(got) != 0 {
				t.Fatalf("nobody is gone, and there are suspects: %v", got)
			}
			if err := tr.SetGone([]flow.Tuple{tupleOf(client)}, nil); err != nil {
				t.Fatal(err)
			}
			if got := idlers(t, tr); len(got) != 1 || !got[id].Live || got[id].PID == 0 || got[id].Timeouts != 0 {
				t.Fatalf("suspects %v, want the client alone", got)
			}
			// By its remote address, the accepted end is one as well.
			if err := tr.SetGone(nil, []netip.Addr{tupleOf(server).Dst.Addr()}); err != nil {
				t.Fatal(err)
			}
			if got := idlers(t, tr); len(got) != 2 || !got[cookie(t, server)].Live {
				t.Fatalf("suspects %v, want both ends", got)
			}
			// A segment came from the peer: not idle any more, and no suspect.
			if _, err := server.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			sockets, err := snapshot(tr)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range sockets {
				if s.Live {
					t.Errorf("socket %s is a suspect although a segment came", s.ID)
				}
			}
			if err := tr.SetGone(nil, nil); err != nil {
				t.Fatal(err)
			}
			if got := idlers(t, tr); len(got) != 0 {
				t.Errorf("suspects %v after their peers came back", got)
			}
		})
	}
}

// TestAnIdleSuspectEnds: nothing dies with it, and its end is news all the same.
func TestAnIdleSuspectEnds(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	id := cookie(t, client)
	if err := tr.SetGone([]flow.Tuple{tupleOf(client)}, nil); err != nil {
		t.Fatal(err)
	}
	if got := idlers(t, tr); !got[id].Live {
		t.Fatalf("suspects %v, want the client", got)
	}
	if err := server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	end := next(t, tr).End
	if end == nil || end.ID != id || end.From != flow.Established || end.Err != int(syscall.ECONNRESET) {
		t.Errorf("its end is shown as %+v", end)
	}
}

func TestAWriteOnAnIdleSuspectIsItsNextEpisode(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	if err := tr.SetGone([]flow.Tuple{tupleOf(client)}, nil); err != nil {
		t.Fatal(err)
	}
	id := cookie(t, client)
	if got := idlers(t, tr); len(got) != 1 {
		t.Fatalf("suspects %v", got)
	}
	if s := incremental(t, tr, id); s != nil {
		t.Errorf("an idle suspect that was shown is news: %+v", *s)
	}
	nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := idlers(t, tr); !got[id].Live { // not timed out yet
		t.Error("the write alone made it look recovered")
	}
	if s := next(t, tr).Suspect; s == nil || s.ID != id || s.Timeouts != 1 {
		t.Errorf("record %+v, want the first RTO", s)
	}
}

// TestTheOwnerOfAWriteToAGonePeer: its first timeout is reported at once, and the
// record has the owner. On a slow machine that timeout comes before the file scan;
// then another write is tried.
func TestTheOwnerOfAWriteToAGonePeer(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	wall := nettest.NewWall(t)
	for range 5 {
		client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
		wall.Drop(server.LocalAddr().(*net.TCPAddr).Port)
		if err := tr.SetGone([]flow.Tuple{tupleOf(client)}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if got := idlers(t, tr); got[cookie(t, client)].Live {
			continue // it has timed out
		}
		if s := next(t, tr).Suspect; s != nil && s.ID == cookie(t, client) && s.Timeouts == 1 && s.PID != 0 {
			return
		}
	}
	t.Error("no first timeout was reported with its owner")
}

func TestHalfClosedIsNotIdle(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	if err := server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := client.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, _ := client.Read(make([]byte, 1)); n != 0 {
		t.Fatal("no end of file")
	}
	if err := tr.SetGone(nil, []netip.Addr{tupleOf(client).Dst.Addr()}); err != nil {
		t.Fatal(err)
	}
	if got := idlers(t, tr); got[cookie(t, client)].Live {
		t.Error("a connection whose peer said goodbye is no half-open one")
	}
}
