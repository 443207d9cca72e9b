package inspector

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// waiting is a kernel side that shows one socket. Each pass lasts a while, in
// which the agent waits for a core.
type waiting struct {
	holding
	sweeps, readings int
}

const coreless = 200 * time.Millisecond

func (w *waiting) Sweep() ([]flow.Listener, error) {
	time.Sleep(coreless)
	w.sweeps++
	return nil, nil
}

func (w *waiting) News(ids []flow.ID) ([]flow.Socket, error) {
	time.Sleep(coreless)
	w.readings++
	return w.holding.News(ids)
}

// TestABusyNodeIsNotWork: passes that last because others use the cores are no
// reason to make them rarer, and a tick that comes a little early is near
// enough.
func TestABusyNodeIsNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now, ctx := time.Now(), t.Context()
		kernel := &waiting{holding: holding{emptied: make(emptied, 1), socket: flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Timeouts: 1}}}
		i := New(Options{Kernel: kernel, Store: NewStore("node-a", "boot", 10), Cluster: cluster.New(cluster.Options{}), StuckAfter: time.Hour})
		i.take(ctx, tracer.Record{Suspect: &kernel.socket})
		for second := range 21 {
			late := time.Duration(second%2) * time.Millisecond
			time.Sleep(time.Until(now.Add(time.Duration(second)*tick - late)))
			do(ctx, i.round().steps)
		}
		if kernel.sweeps != 5 {
			t.Errorf("%d passes over all sockets in 20 s, want one at once and one each 5 s", kernel.sweeps)
		}
		if kernel.readings < 21 {
			t.Errorf("%d readings in 21 ticks", kernel.readings)
		}
	})
}

// costly is a conntrack table without entries that takes time to ask, on a
// core.
type costly struct{ Conntrack }

func (costly) Lookup(context.Context, flow.Tuple) (flow.Translation, error) {
	burn()
	return flow.Translation{}, conntrack.ErrNotFound
}

func (costly) Translates(context.Context, netip.Addr) (bool, error) {
	burn()
	return false, nil
}

// burn takes more of a core than may be saved up for judging.
func burn() {
	_ = cpuTimeOf(func() {
		for began := threadTime(); threadTime()-began < 20*time.Millisecond; {
		}
	})
}

// TestConntrackKeepsNoVerdictWaiting: to ask conntrack costs a thousand times
// what it costs to judge, which goes on whatever was spent on questions.
func TestConntrackKeepsNoVerdictWaiting(t *testing.T) {
	for name, asked := range map[string]diagnosis.Conntrack{
		"an entry that has aged": {At: time.Now().Add(-time.Hour), Entry: &flow.Translation{}},
		"no entry in one zone":   {At: time.Now(), Missing: true},
	} {
		t.Run(name, func(t *testing.T) {
			i := New(Options{Kernel: make(emptied), Store: NewStore("node-a", "boot", 10), Cluster: cluster.New(cluster.Options{}), Conntrack: costly{}})
			f := &file{stuck: true, evidence: diagnosis.Evidence{
				Socket:    flow.Socket{ID: 1, State: flow.Established, Timeouts: 1, Retransmits: 1, PacketsOut: 1, SendWindow: 1},
				Peer:      flow.Peer{Class: flow.PeerService},
				Conntrack: asked,
			}}
			i.files[1] = f
			i.checkHealth(t.Context()) // for the first time, which has everything judged
			i.judgeRegularly(t.Context())
			if !i.judging.allows(time.Now()) {
				t.Errorf("nothing may be judged again: %v saved", i.judging.saved)
			}
			if i.searches.spent+i.asking.spent < 15*time.Millisecond {
				t.Errorf("the question cost %v of searches and %v of questions", i.searches.spent, i.asking.spent)
			}
			f.evidence.Conntrack.At = time.Time{} // aged again
			asked := i.asking.spent
			f.evidence.Now = time.Now().Add(-time.Minute)
			i.asking.spend(time.Second, time.Now())
			i.judgeRegularly(t.Context())
			if i.asking.spent != asked+time.Second || time.Since(f.evidence.Now) > time.Minute/2 {
				t.Errorf("with nothing left for questions, asked for %v and judged at %s", i.asking.spent-asked-time.Second, f.evidence.Now)
			}
		})
	}
}
