package flowtest

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Truncated returns a flow that was never stuck and destroyed bytes when it
// was closed.
func Truncated() flow.Finding {
	f := base(0x3c07)
	f.Local = pod("192.168.75.31:51888", "producer", "producer-77d5c-8qk2w")
	f.Peer = flow.Peer{Class: flow.PeerService, Addr: netip.MustParseAddrPort("10.96.0.40:9000"), Namespace: "default", Service: "consumer"}
	f.Backend = &flow.Backend{Addr: netip.MustParseAddrPort("192.168.136.9:9000"), Namespace: "default", Pod: "consumer-0", Node: "node-b", State: flow.BackendListed}
	f.Symptom, f.Cause = flow.Truncated, flow.ClosedUnread
	f.Sentence = "default/producer-77d5c-8qk2w lost 46336 bytes for certain and perhaps 64088 more of what it had written to default/consumer:9000."
	f.Since, f.Timeouts, f.RTO = time.Time{}, 0, 204*time.Millisecond
	f.Unsent, f.Unacknowledged, f.SendBufferUsed = 46336, 64088, 0
	f.EndedAt = Now().Add(-30 * time.Second)
	f.At, f.Outcome = f.EndedAt, flow.Closed
	f.Advice = []flow.Advice{{Now: "have it sent again"}, {ForGood: "drain before closing"}}
	f.History = []flow.Step{{At: f.EndedAt, What: "ended: Closed; bytes never sent: 46336, sent and unacknowledged: 64088"}}
	return f
}
