package inspector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// TestAProcessIsLookedIntoOnceInATurn: however many of its flows stand before a closed
// window. Each look is a pass over all flows.
func TestAProcessIsLookedIntoOnceInATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := watching(Options{Kernel: emptied(nil)})
		passes := 0
		i.phases.upstreams.entries = func() []*ledger.Entry { passes++; return i.o.Ledger.Entries() }
		shut := func(pid uint32) diagnosis.Evidence {
			s := flow.Socket{State: flow.Established, Live: true, NetNS: 7, Pending: flow.TimerProbe, Unsent: 9}
			return diagnosis.Evidence{Socket: s, Local: flow.Local{PID: pid}}
		}
		now := time.Now()
		waits := flow.Socket{ID: 1, NetNS: 7, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1, Retransmits: 1, PacketsOut: 1, SendWindow: 9}
		i.o.Ledger.Observe(waits)
		e := i.o.Ledger.Entry(1)
		i.o.Ledger.Put(e.Judge(diagnosis.Evidence{Socket: waits, Role: flow.Client, Local: flow.Local{PID: 3}}, diagnosis.Decision{}))
		for range 1000 {
			if i.phases.upstreams.of(shut(2)) == nil {
				t.Fatal("what another process waits for is not found")
			}
		}
		if passes != 1 {
			t.Errorf("%d passes over all flows for one process, want 1", passes)
		}
		if i.phases.upstreams.of(shut(3)) != nil || passes != 2 {
			t.Errorf("a process waits for itself, after %d passes", passes)
		}
		i.o.Ledger.Forget(1)
		i.phases.turn(t.Context(), collected{}, nil)
		if i.phases.upstreams.of(shut(2)) != nil {
			t.Error("the answer of the turn before stands")
		}
	})
}
