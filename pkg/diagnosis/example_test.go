package diagnosis_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// A client sent six bytes to a Service. Its pod was deleted, and conntrack still
// sends the connection there.
func ExampleJudge() {
	deleted := time.Date(2026, 3, 1, 14, 2, 11, 0, time.UTC)
	now := deleted.Add(14 * time.Second)
	client := netip.MustParseAddrPort("192.168.75.2:43580")
	service := netip.MustParseAddrPort("10.96.0.10:8000")
	pod := netip.MustParseAddrPort("192.168.136.2:8000")
	ours := flow.Tuple{Src: client, Dst: service}

	verdict := diagnosis.Judge(&diagnosis.Evidence{
		Now:        now,
		StuckAfter: 10 * time.Second,
		Socket: flow.Socket{
			Local: client, Remote: service, State: flow.Established,
			At: now, Since: deleted.Add(time.Second), LastAck: deleted.Add(-time.Second),
			Timeouts: 5, Retransmits: 5, PacketsOut: 1, SendWindow: 65535, Unacknowledged: 6,
		},
		Role:  flow.Client,
		Local: flow.Local{Addr: client, Namespace: "default", Pod: "client-1", PID: 4711, Comm: "client"},
		Peer:  flow.Peer{Class: flow.PeerService, Addr: service, Namespace: "default", Service: "server"},
		Conntrack: diagnosis.Conntrack{At: now, Entry: &flow.Translation{
			Asked: ours, Orig: ours, Reply: flow.Tuple{Src: pod, Dst: client}, State: "ESTABLISHED",
		}},
		Backend: cluster.Backend{Addr: pod, Namespace: "default", Pod: "server-1", State: flow.BackendDeleted, Since: deleted},
		GivesUp: flow.GivesUp{At: now.Add(15 * time.Minute)},
	})

	fmt.Println(verdict.Symptom, verdict.Cause)
	fmt.Println(verdict.Sentence)
	fmt.Println(verdict.Advice[0].Now)
	// Output:
	// Retransmitting StaleConntrack
	// default/client-1 (client[4711]) has had no acknowledgement from default/server:8000 since 14:02:12Z (13s): conntrack still sends this connection to 192.168.136.2:8000, the pod default/server-1, which was deleted at 14:02:11. 6 bytes are at risk; the kernel gives up at 14:17:25, in 15m.
	// conntrack -D -f ipv4 -p tcp --orig-src 192.168.75.2 --orig-dst 10.96.0.10 --sport 43580 --dport 8000 -w 0
}
