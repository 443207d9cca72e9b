package inspector

import (
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestANamespaceThatGoesIsNoCause: the hanging client's pod is deleted, and its orphan keeps its
// cause while the routes of its namespace go.
func TestANamespaceThatGoesIsNoCause(t *testing.T) {
	now := time.Now()
	before := diagnosis.Decision{Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable}
	for name, c := range map[string]struct {
		change func(*diagnosis.Evidence)
		want   flow.Cause
	}{
		"its process has exited":    {func(*diagnosis.Evidence) {}, flow.PeerUnreachable},
		"its process lives":         {func(e *diagnosis.Evidence) { e.Socket.Orphan, e.Local.Exited = false, false }, flow.NoRoute},
		"it is of the node's own":   {func(e *diagnosis.Evidence) { e.Host = true }, flow.NoRoute},
		"the process closed it":     {func(e *diagnosis.Evidence) { e.Local.Exited = false }, flow.NoRoute},
		"no process of it is known": {func(e *diagnosis.Evidence) { e.Local = flow.Local{} }, flow.PeerUnreachable},
	} {
		e := diagnosis.Evidence{
			Now: now, Socket: flow.Socket{
				At: now, Since: now.Add(-time.Minute), State: flow.FinWait1, Orphan: true, PacketsOut: 1, SendWindow: 1, Timeouts: 3, Retransmits: 3,
				Unacknowledged: 6, SendErr: int(syscall.EHOSTUNREACH), SoftErr: int(syscall.ENETUNREACH),
			},
			Local: flow.Local{PID: 7, Exited: true}, Backend: cluster.Backend{State: flow.BackendListed},
		}
		c.change(&e)
		if d := decideAfter(before, &e); d.Cause != c.want {
			t.Errorf("%s: %s", name, d.Cause)
		}
	}
}
