package inspector

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// emptied is a kernel side that has no socket any more; what became of them
// waits among its records.
type emptied chan tracer.Record

func (e emptied) Records() <-chan tracer.Record          { return e }
func (emptied) Snapshot() ([]flow.Socket, error)         { return nil, nil }
func (emptied) News([]flow.ID) ([]flow.Socket, error)    { return nil, nil }
func (emptied) Sweep() ([]flow.Listener, error)          { return nil, nil }
func (emptied) Lost() (uint64, error)                    { return 0, nil }
func (emptied) SetGone([]flow.Tuple, []netip.Addr) error { return nil }

type told []flow.Event

func (t *told) Publish(e flow.Event) { *t = append(*t, e) }

// TestAnEndThatWaitsIsNoAbsence: a busy machine may take seconds between two
// looks at the records, and two readings that lack a flow would make it one
// whose end nobody saw.
func TestAnEndThatWaitsIsNoAbsence(t *testing.T) {
	for name, read := range map[string]func(*Inspector, context.Context, flow.ID){
		"all":  func(i *Inspector, ctx context.Context, _ flow.ID) { i.snapshot(ctx) },
		"some": func(i *Inspector, ctx context.Context, id flow.ID) { i.lookAt(ctx, []flow.ID{id}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kernel, events, ctx := make(emptied, 1), &told{}, t.Context()
				i := New(Options{Kernel: kernel, Store: NewStore("node-a", "boot", 10), Cluster: cluster.New(cluster.Options{}), Sinks: []Sink{events}})
				s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: time.Now(), Since: time.Now(), Timeouts: 1}
				i.take(ctx, tracer.Record{Suspect: &s})
				i.report(i.files[s.ID])
				time.Sleep(time.Second)
				read(i, ctx, s.ID)
				time.Sleep(time.Minute)
				kernel <- tracer.Record{End: &flow.End{ID: s.ID, At: time.Now(), Err: int(syscall.ETIMEDOUT)}}
				read(i, ctx, s.ID)
				if all := *events; len(all) != 2 || all[1].Type != flow.EventEnded || all[1].Flow.Outcome != flow.TimedOut {
					t.Errorf("events %+v, want one of its end by a time-out", all)
				}
			})
		})
	}
}

// TestTheLastReadingHasTheLastWord: what a flow is read to do just before it
// ends, and no round has judged, turns its verdict. A recovery is no reason to
// judge anew.
func TestTheLastReadingHasTheLastWord(t *testing.T) {
	for name, tc := range map[string]struct {
		kind monitor.Kind
		want []flow.Cause
	}{
		"ended":     {monitor.Ended, []flow.Cause{flow.SlowReader, flow.Unknown, flow.Unknown}},
		"recovered": {monitor.Recovered, []flow.Cause{flow.SlowReader, flow.SlowReader}},
	} {
		t.Run(name, func(t *testing.T) {
			events, ctx, now := &told{}, t.Context(), time.Now()
			i := New(Options{Kernel: make(emptied), Store: NewStore("node-a", "boot", 10), Cluster: cluster.New(cluster.Options{}), Sinks: []Sink{events}})
			s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Unsent: 7, Pending: flow.TimerProbe, ProbesOut: 1}
			i.take(ctx, tracer.Record{Suspect: &s})
			i.report(i.files[s.ID])
			s.At, s.ProbesOut = now.Add(time.Second), 9
			i.refresh(s)
			i.finish(ctx, monitor.Change{Kind: tc.kind, Socket: s, At: now.Add(2 * time.Second), End: &flow.End{ID: s.ID, At: now.Add(2 * time.Second), Err: int(syscall.ETIMEDOUT), Unsent: 7}})
			var got []flow.Cause
			for _, e := range *events {
				got = append(got, e.Flow.Cause)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("causes told (-want +got):\n%s", diff)
			}
		})
	}
}

// TestARipeRiskIsReadOnceMore: who is at risk is called stuck when no FIN can
// come any more, unless its peer was heard since it was last read.
func TestARipeRiskIsReadOnceMore(t *testing.T) {
	for name, tc := range map[string]struct {
		heardAfter time.Duration
		unread     error
		backend    flow.BackendState
		left       int // files
		want       []flow.EventType
	}{
		"silent":                   {0, nil, flow.BackendDeleted, 1, []flow.EventType{flow.EventAtRisk, flow.EventStuck}},
		"heard meanwhile":          {5500 * time.Millisecond, nil, flow.BackendDeleted, 0, []flow.EventType{flow.EventAtRisk}},
		"cannot be read":           {0, syscall.EPERM, flow.BackendDeleted, 1, []flow.EventType{flow.EventAtRisk}},
		"back, and cannot be read": {0, syscall.EPERM, flow.BackendListed, 0, []flow.EventType{flow.EventAtRisk}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events, ctx, now := &told{}, t.Context(), time.Now()
				kernel := &holding{emptied: make(emptied), socket: flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, LastAck: now.Add(-time.Minute), SendWindow: 1}}
				records := cluster.New(cluster.Options{MaxStaleness: time.Hour})
				records.Replace(cluster.Objects{}, now)
				records.SetHealth(true, "test", now)
				i := New(Options{Kernel: kernel, Store: NewStore("node-a", "boot", 10), Cluster: records, Sinks: []Sink{events}, StuckAfter: time.Hour})
				i.take(ctx, tracer.Record{Suspect: &kernel.socket})
				f := i.files[1]
				f.evidence.Peer.Class, f.evidence.Backend.State, f.evidence.Backend.Since = flow.PeerPod, flow.BackendDeleted, now
				f.evidence.Conntrack = diagnosis.Conntrack{At: now, Missing: true}
				f.decision = diagnosis.Decide(f.evidence)
				i.report(f)
				time.Sleep(6 * time.Second)
				if kernel.unread = tc.unread; tc.heardAfter > 0 {
					kernel.socket.LastAck = now.Add(tc.heardAfter)
				}
				f.evidence.Backend.State = tc.backend
				i.rejudge(ctx, judgments, func(*file) bool { return false })
				if len(i.files) != tc.left {
					t.Errorf("%d files are left, want %d", len(i.files), tc.left)
				}
				var got []flow.EventType
				for _, e := range *events {
					got = append(got, e.Type)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// broken is a kernel side whose looks at named suspects fail.
type broken struct{ emptied }

func (broken) News([]flow.ID) ([]flow.Socket, error) { return nil, syscall.EINTR }

// TestALookThatFailedIsNoAbsence: the first look after it that lacks a flow is
// the first of two.
func TestALookThatFailedIsNoAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(Options{Kernel: broken{make(emptied, 1)}, Store: NewStore("node-a", "boot", 10), Cluster: cluster.New(cluster.Options{})})
		s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: time.Now(), Since: time.Now(), Timeouts: 1}
		i.take(t.Context(), tracer.Record{Suspect: &s})
		time.Sleep(time.Second)
		i.lookAt(t.Context(), []flow.ID{s.ID})
		time.Sleep(3 * time.Second)
		if i.snapshot(t.Context()); i.monitor.Len() != 1 {
			t.Error("one complete look that lacks it ended a flow")
		}
		time.Sleep(3 * time.Second)
		if i.snapshot(t.Context()); i.monitor.Len() != 0 {
			t.Error("two complete looks that lack it did not")
		}
	})
}
