package tracer

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestLossRecordsAreLimitedAndCountedExactly(t *testing.T) {
	inum := nettest.Loopback(t)
	const closes, perWindow = 300, 5
	tr := open(t, Options{Scope: []uint32{inum}, LossRecords: perWindow})
	clients := unread(t, closes)
	began := time.Now()
	var group sync.WaitGroup
	for _, c := range clients { // on every CPU at once
		group.Go(func() { _ = c.Close() })
	}
	group.Wait()
	windows := uint64(time.Since(began)/(10*time.Second)) + 2
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel has counted the runs that it skipped: after 6.18 a program may
	// be preempted, and a run that another socket fires on that CPU is lost.
	missed := misses(c, tcpstuckProgSetState)
	got := c.Losses[flow.LostClosedUnread]
	if got.Closes > closes || got.Closes+missed < closes || got.Unacknowledged != got.Closes {
		t.Errorf("counted %+v with %d misses, want all of %d and a byte of each", got, missed, closes)
	}
	// Two CPUs may both take the last place of a window.
	if signs, err := tr.Signs(); err != nil || signs.Lost != 0 {
		t.Errorf("%d records lost (%v): those that were held back need no snapshot", signs.Lost, err)
	}
	if held := c.Lost[flow.StageLimited]; held+missed < closes-windows*(perWindow+1) || held > closes-perWindow {
		t.Errorf("%d records were held back, %d missed, want nearly all of %d", held, missed, closes)
	}
}

// What one deployment kills dies in one second.
func TestTheLossesOfADeploymentAreAllReported(t *testing.T) {
	inum := nettest.Loopback(t)
	const closes = 150
	tr := open(t, Options{Scope: []uint32{inum}})
	for _, c := range unread(t, closes) {
		_ = c.Close()
	}
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	missed := misses(c, tcpstuckProgSetState)
	if got, held := c.Losses[flow.LostClosedUnread].Closes, c.Lost[flow.StageLimited]; got+missed != closes || held != 0 {
		t.Errorf("%d of %d were counted, %d missed, %d not reported", got, closes, missed, held)
	}
}

// misses returns how often the kernel passed over a program because it was
// running on that CPU already.
func misses(c flow.KernelCounters, program string) uint64 {
	for _, p := range c.Programs {
		if p.Name == program && p.RecursionMisses != nil {
			return *p.RecursionMisses
		}
	}
	return 0
}

// unread returns connections with a ping to read and a byte that does not get
// through.
func unread(t *testing.T, n int) []*net.TCPConn {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	clients := make([]*net.TCPConn, n)
	for i := range clients {
		client, err := net.Dial("tcp4", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		clients[i] = client.(*net.TCPConn)
		ping(t, clients[i], server.(*net.TCPConn))
	}
	nettest.NewWall(t).Drop(listener.Addr().(*net.TCPAddr).Port)
	for _, c := range clients {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	return clients
}

func TestLossesOutsideTheScopeAreNotCounted(t *testing.T) {
	t.Parallel()
	inum := nettest.Loopback(t)
	const nobodys = 1 // the kernel's numbers of namespaces begin at 0xF0000000
	outside, inside := watch(t, nobodys), watch(t, inum)
	producer, consumer := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	brim(t, producer)
	ping(t, producer, consumer)
	shut(t, producer)
	if got := losses(t, outside); len(got) != 0 {
		t.Errorf("outside its scope it counted %v", got)
	}
	if got := losses(t, inside); len(got) != 1 {
		t.Errorf("inside its scope it counted %v, want one reason", got)
	}
}
