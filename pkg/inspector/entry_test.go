package inspector

import (
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
)

// TestTheDeadAreNotAskedFor: while conntrack fails, what it could not be asked
// of flows that are over must not heap up.
func TestTheDeadAreNotAskedFor(t *testing.T) {
	i := New(Options{Store: NewStore("node-a", "boot", 10)})
	i.files[7], i.unanswered[7] = &file{}, true
	i.finish(t.Context(), monitor.Change{Kind: monitor.Vanished, Socket: flow.Socket{ID: 7}})
	if len(i.unanswered) != 0 {
		t.Errorf("still asked for: %v", i.unanswered)
	}
}
