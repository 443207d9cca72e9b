package inspector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// waiting is a kernel side that shows one socket. Each pass lasts a while, in
// which the agent waits for a core.
type waiting struct {
	holding
	scans, readings int
	named           int // by the last reading
}

const coreless = 200 * time.Millisecond

func (w *waiting) ScanFiles() ([]flow.Listener, error) {
	time.Sleep(coreless)
	w.scans++
	return nil, nil
}

func (w *waiting) Incremental(ids []flow.ID, show func(flow.Socket)) error {
	time.Sleep(coreless)
	w.readings++
	w.named = len(ids)
	return w.holding.Incremental(ids, show)
}

// TestABusyNodeIsNotWork: passes that last because others use the cores are no
// reason to make them rarer, and a tick that comes a little early is near
// enough.
func TestABusyNodeIsNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now, ctx := time.Now(), t.Context()
		kernel := &waiting{holding: holding{emptied: make(emptied, 1), socket: flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1}}}
		i := watching(Options{Kernel: kernel, StuckAfter: time.Hour})
		take(ctx, i, tracer.Record{Suspect: &kernel.socket})
		for second := range 21 {
			late := time.Duration(second%2) * time.Millisecond
			time.Sleep(time.Until(now.Add(time.Duration(second)*tick - late)))
			for _, next := range i.round().steps {
				next(ctx)
			}
		}
		if kernel.scans != 5 {
			t.Errorf("%d passes over all sockets in 20 s, want one at once and one each 5 s", kernel.scans)
		}
		if kernel.readings < 21 {
			t.Errorf("%d readings in 21 ticks", kernel.readings)
		}
	})
}
