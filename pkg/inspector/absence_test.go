package inspector

import (
	"context"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// TestAnEndThatWaitsIsNoAbsence: a busy machine may take seconds between two
// looks at the records, and after two readings without it a flow would count as
// ended unseen.
func TestAnEndThatWaitsIsNoAbsence(t *testing.T) {
	for name, read := range map[string]func(*Inspector, context.Context, flow.ID){
		"all": func(i *Inspector, ctx context.Context, _ flow.ID) { i.phases.turn(ctx, i.collector.snapshot(ctx), nil) },
		"some": func(i *Inspector, ctx context.Context, id flow.ID) {
			i.phases.turn(ctx, i.collector.look(ctx, []flow.ID{id}), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kernel, events, ctx := make(emptied, 1), &published{}, t.Context()
				i := watching(Options{Kernel: kernel, Sinks: []Sink{events}})
				s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: time.Now(), Since: time.Now(), Timeouts: 1}
				take(ctx, i, tracer.Record{Suspect: &s})
				reportNow(i, s.ID, flow.EventStuck)
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

// TestTheLastReadingHasTheLastWord: a reading just before the end, which no round
// has judged, turns the verdict. A recovery is no reason to judge again.
func TestTheLastReadingHasTheLastWord(t *testing.T) {
	for name, tc := range map[string]struct {
		kind ledger.Kind
		want []flow.Cause
	}{
		"ended":     {ledger.Ended, []flow.Cause{flow.SlowReader, flow.Unknown, flow.Unknown}},
		"recovered": {ledger.Recovered, []flow.Cause{flow.SlowReader, flow.SlowReader}},
	} {
		t.Run(name, func(t *testing.T) {
			events, ctx, now := &published{}, t.Context(), time.Now()
			i := watching(Options{Kernel: make(emptied), Sinks: []Sink{events}})
			s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, Unsent: 7, Pending: flow.TimerProbe, ProbesOut: 1}
			take(ctx, i, tracer.Record{Suspect: &s})
			reportNow(i, s.ID, flow.EventStuck)
			s.At, s.ProbesOut = now.Add(time.Second), 9
			take(ctx, i, tracer.Record{Suspect: &s})
			if s.At = now.Add(2 * time.Second); tc.kind == ledger.Ended {
				take(ctx, i, tracer.Record{End: &flow.End{ID: s.ID, At: s.At, Err: int(syscall.ETIMEDOUT), Unsent: 7}})
			} else {
				s.Live = false
				take(ctx, i, tracer.Record{Suspect: &s})
			}
			var got []flow.Cause
			for _, e := range *events {
				got = append(got, e.Flow.Cause)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("causes reported (-want +got):\n%s", diff)
			}
		})
	}
}

// TestARipeRiskIsReadOnceMore: a flow at risk is called stuck when no FIN can
// come any more, unless a segment of its peer came since the last reading.
func TestARipeRiskIsReadOnceMore(t *testing.T) {
	for name, tc := range map[string]struct {
		segmentAfter time.Duration
		unread       error
		backend      flow.BackendState
		left         int // flows
		want         []flow.EventType
	}{
		"silent":                   {0, nil, flow.BackendDeleted, 1, []flow.EventType{flow.EventAtRisk, flow.EventStuck}},
		"a segment meanwhile":      {5500 * time.Millisecond, nil, flow.BackendDeleted, 0, []flow.EventType{flow.EventAtRisk}},
		"cannot be read":           {0, syscall.EPERM, flow.BackendDeleted, 1, []flow.EventType{flow.EventAtRisk}},
		"back, and cannot be read": {0, syscall.EPERM, flow.BackendListed, 0, []flow.EventType{flow.EventAtRisk}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events, ctx, now := &published{}, t.Context(), time.Now()
				kernel := &holding{emptied: make(emptied), socket: flow.Socket{ID: 1, State: flow.Established, Live: true, At: now, Since: now, LastAck: now.Add(-time.Minute), SendWindow: 1}}
				records := cluster.New(cluster.Options{MaxStaleness: time.Hour})
				records.Replace(cluster.Objects{}, now)
				records.SetHealth(true, "test", now)
				i := watching(Options{Kernel: kernel, Cluster: records, Sinks: []Sink{events}, StuckAfter: time.Hour})
				take(ctx, i, tracer.Record{Suspect: &kernel.socket})
				atRisk := func(state flow.BackendState) {
					e := i.o.Ledger.Entry(1)
					evidence := e.Evidence()
					evidence.Peer.Class, evidence.Backend.State, evidence.Backend.Since = flow.PeerPod, state, now
					evidence.Conntrack = diagnosis.Conntrack{At: time.Now(), Missing: true}
					i.o.Ledger.Put(e.Judge(evidence, diagnosis.Decide(&evidence)))
				}
				atRisk(flow.BackendDeleted)
				reportNow(i, 1, flow.EventAtRisk)
				time.Sleep(6 * time.Second)
				if kernel.unread = tc.unread; tc.segmentAfter > 0 {
					kernel.socket.LastAck = now.Add(tc.segmentAfter)
				}
				if tc.backend != flow.BackendDeleted {
					e := i.o.Ledger.Entry(1)
					evidence := e.Evidence()
					evidence.Backend.State = tc.backend
					i.o.Ledger.Put(e.Judge(evidence, e.Decision()))
				}
				i.phases.turn(ctx, collected{}, []task{{why: isAged, id: 1}})
				i.due(ctx)
				if left := i.o.Ledger.Len(); left != tc.left {
					t.Errorf("%d flows are left, want %d", left, tc.left)
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

func (broken) Incremental([]flow.ID, func(flow.Socket)) error { return syscall.EINTR }

// TestALookThatFailedIsNoAbsence: the first look after it that lacks a flow is
// the first of two.
func TestALookThatFailedIsNoAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		i := watching(Options{Kernel: broken{make(emptied, 1)}})
		s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: time.Now(), Since: time.Now(), Timeouts: 1}
		take(ctx, i, tracer.Record{Suspect: &s})
		time.Sleep(time.Second)
		i.phases.turn(ctx, i.collector.look(ctx, []flow.ID{s.ID}), nil)
		time.Sleep(3 * time.Second)
		if i.phases.turn(ctx, i.collector.snapshot(ctx), nil); i.o.Ledger.Len() != 1 {
			t.Error("one complete look that lacks it ended a flow")
		}
		time.Sleep(3 * time.Second)
		if i.phases.turn(ctx, i.collector.snapshot(ctx), nil); i.o.Ledger.Len() != 0 {
			t.Error("two complete looks that lack it did not")
		}
	})
}

// torn is a kernel side. Its snapshots fail while it is not whole.
type torn struct {
	emptied
	whole bool
}

func (k *torn) Snapshot(show func(flow.Socket)) error {
	if !k.whole {
		return syscall.EINTR
	}
	return k.emptied.Snapshot(show)
}

// TestASnapshotThatFailedIsNoAbsence: however many of them lack a flow.
func TestASnapshotThatFailedIsNoAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &torn{emptied: make(emptied, 1)}
		i := watching(Options{Kernel: kernel})
		s := flow.Socket{ID: 1, State: flow.Established, Live: true, At: time.Now(), Since: time.Now(), Timeouts: 1}
		take(t.Context(), i, tracer.Record{Suspect: &s})
		look := func(whole bool) int {
			time.Sleep(3 * time.Second)
			kernel.whole = whole
			i.phases.turn(t.Context(), i.collector.snapshot(t.Context()), nil)
			return i.o.Ledger.Len()
		}
		for n, c := range []struct {
			whole bool
			held  int
		}{{false, 1}, {false, 1}, {false, 1}, {true, 1}, {true, 0}} {
			if held := look(c.whole); held != c.held {
				t.Errorf("snapshot %d, whole %t: %d flows are held, want %d", n+1, c.whole, held, c.held)
			}
		}
	})
}
