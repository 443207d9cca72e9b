package tracer

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// news returns what an incremental snapshot shows of a flow; nil: nothing.
func news(t *testing.T, tr *Tracer, id flow.ID, named ...flow.ID) *flow.Socket {
	t.Helper()
	sockets, err := tr.News(named)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sockets {
		if s.ID == id {
			return &s
		}
	}
	return nil
}

func TestNewsAreShownOnce(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	wall := nettest.NewWall(t)
	wall.Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	id := next(t, tr).Suspect.ID
	if s := news(t, tr, id); s != nil {
		t.Errorf("a suspect that a record told is news: %+v", *s)
	}
	if s := news(t, tr, id, id, 12345); s == nil || !s.Live {
		t.Errorf("a named suspect is shown as %+v", s)
	}
	if s := news(t, tr, id); s != nil {
		t.Errorf("it is still shown, and nobody named it: %+v", *s)
	}
	if _, err := tr.Sweep(); err != nil {
		t.Fatal(err)
	}
	if s := news(t, tr, id); s == nil || s.PID == 0 {
		t.Errorf("an owner that was just found is shown as %+v", s)
	}
	if s := news(t, tr, id); s != nil {
		t.Errorf("its owner is told twice: %+v", *s)
	}
	awaitTimeouts(t, tr, id, 2) // a Snapshot has it, as before
	wall.Open()
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	var recovered *flow.Socket
	for deadline := time.Now().Add(patience); recovered == nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		recovered = news(t, tr, id)
	}
	if recovered == nil || recovered.Live {
		t.Errorf("its recovery is shown as %+v", recovered)
	}
	if s := news(t, tr, id); s != nil {
		t.Errorf("its recovery is told twice: %+v", *s)
	}
}

func TestASuspectThatOnlyASweepFoundIsNews(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	first := watch(t, inum)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	id := next(t, first).Suspect.ID
	late := open(t, Options{Scope: []uint32{inum}})
	if _, err := late.Sweep(); err != nil {
		t.Fatal(err)
	}
	if s := news(t, late, id); s == nil || !s.Live || s.PID == 0 {
		t.Errorf("it is shown as %+v", s)
	}
	if s := news(t, late, id); s != nil {
		t.Errorf("it is told twice: %+v", *s)
	}
}

func TestEachNamedFlowHasItsBit(t *testing.T) {
	t.Parallel()
	got := bits([]flow.ID{0, 63, 64, 2, 3<<7 + 65}, 2)
	if diff := cmp.Diff([]uint64{1 | 1<<63 | 1<<2, 1 | 1<<1}, got); diff != "" {
		t.Errorf("bits (-want +got):\n%s", diff)
	}
}
