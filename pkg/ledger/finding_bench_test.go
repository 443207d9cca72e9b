package ledger

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// BenchmarkFinding composes what users see of one client's flow, as a dump of
// thousands and the events of a storm do for each.
func BenchmarkFinding(b *testing.B) {
	for _, state := range []flow.BackendState{flow.BackendListed, flow.BackendDeleted} {
		given := similar(1, start)
		given.Socket.SendWindow, given.Socket.Retransmits, given.Socket.LastAck = 65535, 7, start.Add(-61*time.Second)
		given.Backend.State, given.Backend.Node, given.Backend.NodeState = state, "node-2", cluster.NodeReady
		given.Service.Kind, given.Service.Backends = cluster.ClusterIP, 3
		d := diagnosis.Decide(&given)
		e := newEntry(given.Socket).Judge(given, d).Report(start, "found stuck: Retransmitting · "+string(d.Cause))
		b.Run(string(d.Cause), func(b *testing.B) {
			b.ReportAllocs()
			c := NewComposer("node-1", "boot")
			for b.Loop() {
				c.Finding(e, start.Add(time.Second))
			}
		})
	}
}
