package tracer

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// incremental returns what an incremental snapshot shows of a flow; nil: nothing.
func incremental(t *testing.T, tr *Tracer, id flow.ID, named ...flow.ID) *flow.Socket {
	t.Helper()
	var sockets []flow.Socket
	if err := tr.Incremental(named, func(s flow.Socket) { sockets = append(sockets, s) }); err != nil {
		t.Fatal(err)
	}
	for _, s := range sockets {
		if s.ID == id {
			return &s
		}
	}
	return nil
}

func TestAnIncrementalSnapshotShowsEachChangeOnce(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	wall := nettest.NewWall(t)
	wall.Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	id := next(t, tr).Suspect.ID
	if s := incremental(t, tr, id); s != nil {
		t.Errorf("a suspect that a record reported is shown: %+v", *s)
	}
	if s := incremental(t, tr, id, id, 12345); s == nil || !s.Live {
		t.Errorf("a named suspect is shown as %+v", s)
	}
	if s := incremental(t, tr, id); s != nil {
		t.Errorf("it is still shown, and nobody named it: %+v", *s)
	}
	if _, err := tr.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	if s := incremental(t, tr, id); s == nil || s.PID == 0 {
		t.Errorf("an owner that was just found is shown as %+v", s)
	}
	if s := incremental(t, tr, id); s != nil {
		t.Errorf("its owner is shown twice: %+v", *s)
	}
	awaitTimeouts(t, tr, id, 2) // a Snapshot has it, as before
	wall.Open()
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	var recovered *flow.Socket
	for deadline := time.Now().Add(patience); recovered == nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		recovered = incremental(t, tr, id)
	}
	if recovered == nil || recovered.Live {
		t.Errorf("its recovery is shown as %+v", recovered)
	}
	if s := incremental(t, tr, id); s != nil {
		t.Errorf("its recovery is shown twice: %+v", *s)
	}
}

func TestASuspectThatOnlyAFileScanFoundIsNew(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	first := watch(t, inum)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	id := next(t, first).Suspect.ID
	late := open(t, Options{Scope: []uint32{inum}})
	if _, err := late.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	if s := incremental(t, late, id); s == nil || !s.Live || s.PID == 0 {
		t.Errorf("it is shown as %+v", s)
	}
	if s := incremental(t, late, id); s != nil {
		t.Errorf("it is shown twice: %+v", *s)
	}
}

// TestAScanFindsTheNextEpisodeOfAKnownSuspect: it timed out and recovered, and then its
// peer stops reading. Nothing is retransmitted before a closed window.
func TestAScanFindsTheNextEpisodeOfAKnownSuspect(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	wall := nettest.NewWall(t)
	wall.Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	first := next(t, tr).Suspect
	wall.Open()
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := client.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; _, err = client.Write(make([]byte, 1<<20)) {
	}
	var s *flow.Socket // at first, that it recovered
	for deadline := time.Now().Add(patience); (s == nil || s.Una == first.Una || !s.Live) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := tr.ScanFiles(); err != nil {
			t.Fatal(err)
		}
		s = incremental(t, tr, first.ID, first.ID)
	}
	if s == nil || !s.Live || s.SendWindow != 0 && s.Unsent == 0 || !s.Since.After(first.Since) {
		t.Errorf("behind a closed window it is shown as %+v", s)
	}
}

func TestEachNamedFlowHasItsBit(t *testing.T) {
	t.Parallel()
	got := bits([]flow.ID{0, 63, 64, 2, 3<<7 + 65}, 2)
	if diff := cmp.Diff([]uint64{1 | 1<<63 | 1<<2, 1 | 1<<1}, got); diff != "" {
		t.Errorf("bits (-want +got):\n%s", diff)
	}
}
