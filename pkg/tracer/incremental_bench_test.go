package tracer

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const standing = 15_000

// BenchmarkIncremental makes incremental snapshots of a storm that stands still, with cold
// caches, as after seconds of other work. Nothing is new; some suspects are named.
func BenchmarkIncremental(b *testing.B) {
	inum := nettest.Loopback(b)
	tr := watch(b, inum)
	ids := stand(b, tr)
	cold := make([]byte, 64<<20)
	for _, named := range []int{0, 300} {
		b.Run(fmt.Sprintf("named=%d", named), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				for i := 0; i < len(cold); i += 64 {
					cold[i]++
				}
				b.StartTimer()
				shown := 0
				if err := tr.Incremental(ids[:named], func(flow.Socket) { shown++ }); err != nil || shown < named {
					b.Fatalf("%d sockets of %d, %v", shown, named, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/standing, "ns/suspect")
		})
	}
}

// stand makes sockets that are all stuck and shown, with their owner.
func stand(b *testing.B, tr *Tracer) (ids []flow.ID) {
	b.Helper()
	nettest.Sysctl(b, "core/somaxconn", "32768")
	nettest.Sysctl(b, "ipv4/tcp_rto_max_ms", "120000")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	clients := make([]net.Conn, standing)
	for i := range clients {
		if clients[i], err = net.Dial("tcp4", listener.Addr().String()); err != nil { // nobody accepts them
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = clients[i].Close() })
	}
	nettest.NewWall(b).Drop(listener.Addr().(*net.TCPAddr).Port)
	for _, c := range clients {
		if _, err := c.Write([]byte("x")); err != nil {
			b.Fatal(err)
		}
	}
	for deadline := time.Now().Add(patience); len(ids) < standing && time.Now().Before(deadline); {
		if _, err := tr.ScanFiles(); err != nil {
			b.Fatal(err)
		}
		sockets, err := snapshot(tr)
		if err != nil {
			b.Fatal(err)
		}
		seen := map[flow.ID]bool{} // one may be shown twice while others begin
		for _, s := range sockets {
			seen[s.ID] = s.Live
		}
		ids = slices.Collect(maps.Keys(seen))
	}
	return ids
}
