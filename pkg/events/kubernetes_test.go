package events_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/events"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// observer stands for a cluster: the Events that it got, with the times.
type observer struct {
	began time.Time
	hang  bool

	mu    sync.Mutex
	calls []string // since it began, pod or node, reason, times
	fail  error
}

func newObserver() *observer { return &observer{began: time.Now()} }

func (o *observer) Observe(ctx context.Context, ev kube.Event, times int) error {
	if o.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	whom := ev.Pod.Name
	if whom == "" {
		whom = "node"
	}
	o.calls = append(o.calls, fmt.Sprintf("%v %s %s %d", time.Since(o.began), whom, ev.Reason, times))
	return nil
}

func (o *observer) failWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

// stuck is a flow of a pod that got stuck just now.
func stuck(pod string) flow.Event {
	f := flowtest.Calico()
	f.Local.Pod, f.Local.PodUID, f.Since = pod, "uid-"+pod, time.Now()
	return flow.Event{Type: flow.EventStuck, Time: time.Now(), Flow: &f}
}

func (o *observer) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if diff := cmp.Diff(want, o.calls); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	o.calls = nil
}

func newSink(t *testing.T, o *observer) (*events.Kubernetes, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	return events.NewKubernetes(ctx, o, slog.New(slog.DiscardHandler)), cancel
}

func write(t *testing.T, k *events.Kubernetes, all ...flow.Event) {
	t.Helper()
	for _, ev := range all {
		if err := k.Write(ev); err != nil {
			t.Error(err)
		}
	}
}

func TestABurstIsReportedInSum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver()
		k, cancel := newSink(t, o)
		defer cancel()
		for n := range 1000 {
			write(t, k, stuck(fmt.Sprintf("client-%d", n)))
		}
		const cause = "TCPStuckStaleConntrack"
		o.expect(t, "0s client-0 "+cause+" 1", "0s client-1 "+cause+" 1", "0s client-2 "+cause+" 1", "0s client-3 "+cause+" 1", "0s client-4 "+cause+" 1")
		time.Sleep(10 * time.Second)
		o.expect(t, "5s node TCPStuckMore 995")
		time.Sleep(24 * time.Second)
		write(t, k, stuck("late-1"), stuck("late-2"), stuck("late-3")) // one more is due after 30 s, the others are over
		o.expect(t, "34s late-1 "+cause+" 1")
		time.Sleep(30 * time.Second)
		o.expect(t, "35s node TCPStuckMore 2")
		time.Sleep(time.Hour)
		o.expect(t)
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestARepetitionIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver()
		k, cancel := newSink(t, o)
		defer cancel()
		for range 10 { // a pool of connections
			write(t, k, stuck("client"))
		}
		o.expect(t, "0s client TCPStuckStaleConntrack 1")
		time.Sleep(6 * time.Second)
		o.expect(t, "5s client TCPStuckStaleConntrack 9")
		write(t, k, stuck("client"), stuck("client"))
		time.Sleep(time.Hour)
		o.expect(t, "35s client TCPStuckStaleConntrack 2")
		write(t, k, stuck("client")) // forgotten meanwhile: the API knows
		o.expect(t, "1h0m6s client TCPStuckStaleConntrack 1")
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatMayHaveBeenReportedIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := stuck("client") // before the agent was restarted
		time.Sleep(time.Second)
		o := newObserver()
		k, cancel := newSink(t, o)
		defer cancel()
		revised := stuck("client")
		revised.Type = flow.EventRevised
		write(t, k, before, before, revised)
		time.Sleep(time.Hour)
		o.expect(t, "0s client TCPStuckStaleConntrack 0")
		for n := range 8 {
			before.Flow.Local.Pod = fmt.Sprint("old-", n)
			write(t, k, before)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]string{"1h0m5s node TCPStuckMore 0"}, o.calls[5:]); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAFailingAPICostsTheEventOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver()
		o.failWith(errors.New("forbidden"))
		k, cancel := newSink(t, o)
		defer cancel()
		f := events.NewFanout(slog.New(slog.DiscardHandler))
		f.Add("kubernetes", k, 100)
		for n := range 20 {
			f.Publish(stuck(fmt.Sprint("client-", n)))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := f.Dropped()["kubernetes"]; n != 5 {
			t.Errorf("%d dropped, want the 5 that were to be reported", n)
		}
		o.failWith(nil) // the sum is written as soon as it can be
		time.Sleep(time.Minute)
		o.expect(t, "1m5s node TCPStuckMore 15")
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What is over the budget is counted without the API, which says nothing of it.
func TestASinkHealsWhenTheAPIAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver()
		o.failWith(errors.New("no route to host"))
		k, cancel := newSink(t, o)
		defer cancel()
		var logged bytes.Buffer
		f := events.NewFanout(slog.New(slog.NewTextHandler(&logged, nil)))
		f.Add("kubernetes", k, 100)
		says := func(what string, times int) {
			t.Helper()
			synctest.Wait()
			if n := strings.Count(logged.String(), what); n != times {
				t.Errorf("%q is logged %d times, want %d:\n%s", what, n, times, logged.String())
			}
		}
		const lost, again = "Events are lost until this sink heals", "The sink takes events again"
		for n := range 20 {
			f.Publish(stuck(fmt.Sprint("client-", n)))
		}
		says(lost, 1)
		says(again, 0)
		time.Sleep(20 * time.Second) // the sum is not taken either
		f.Publish(stuck("counted"))
		says(again, 0)
		o.failWith(nil)
		time.Sleep(20 * time.Second) // and now it is
		f.Publish(stuck("client-20"))
		says(again, 1)
		says(lost, 1)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAHangingAPIHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver()
		o.hang = true
		k, stop := newSink(t, o)
		f := events.NewFanout(slog.New(slog.DiscardHandler))
		f.Add("kubernetes", k, 100)
		for n := range 200 {
			f.Publish(stuck(fmt.Sprint("client-", n)))
		}
		synctest.Wait()
		if n := f.Dropped()["kubernetes"]; n != 99 && n != 100 {
			t.Errorf("%d dropped, want what the queue does not hold", n)
		}
		stop()
		began := time.Now()
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the end takes %v", took)
		}
	})
}

func TestWhatIsReportedToACluster(t *testing.T) {
	host, recovered, lossless, unseen := flowtest.Unknown(), flowtest.Egress(), flowtest.Ended(), flowtest.Ended()
	recovered.Outcome = flow.Recovered
	lossless.Unsent, lossless.Unacknowledged = 0, 0
	unseen.Outcome = ""
	pod := kube.PodRef{Namespace: "default", Name: "client-6c9f7d8b5c-x7x2k", UID: "uid-client-6c9f7d8b5c-x7x2k"}
	truncated := kube.PodRef{Namespace: "default", Name: "producer-77d5c-8qk2w", UID: "uid-producer-77d5c-8qk2w"}
	orders := kube.PodRef{Namespace: "shop", Name: "orders-0", UID: "uid-orders-0"}
	for name, c := range map[string]struct {
		kind flow.EventType
		f    flow.Finding
		want *kube.Event // without its note
	}{
		"stuck":                {flow.EventStuck, flowtest.Calico(), &kube.Event{Pod: pod, Service: "default/server", Reason: "TCPStuckStaleConntrack", Warning: true}},
		"revised":              {flow.EventRevised, flowtest.Calico(), &kube.Event{Pod: pod, Service: "default/server", Reason: "TCPStuckStaleConntrack", Warning: true}},
		"a host process":       {flow.EventStuck, host, &kube.Event{Reason: "TCPStuckUnknown", Warning: true}},
		"recovered":            {flow.EventRecovered, recovered, &kube.Event{Pod: orders, Reason: "TCPStuckRecovered"}},
		"truncated":            {flow.EventDataLost, flowtest.Truncated(), &kube.Event{Pod: truncated, Service: "default/consumer", Reason: "TCPDataLost", Warning: true}},
		"ended with a loss":    {flow.EventEnded, flowtest.Ended(), &kube.Event{Pod: pod, Service: "default/server", Reason: "TCPDataLost", Warning: true}},
		"ended without a loss": {flow.EventEnded, lossless, nil},
		"ended unseen":         {flow.EventEnded, unseen, nil},
		"at risk":              {flow.EventAtRisk, flowtest.Calico(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []kube.Event
			k := events.NewKubernetes(t.Context(), listening(func(ev kube.Event) { got = append(got, ev) }), slog.New(slog.DiscardHandler))
			write(t, k, flow.Event{Type: c.kind, Flow: &c.f}, degraded("cluster"))
			if err := k.Close(); err != nil {
				t.Error(err)
			}
			var want []kube.Event
			if c.want != nil {
				want = append(want, *c.want)
			}
			for n := range got {
				if !strings.Contains(got[n].Note, "--nodes node-a") {
					t.Errorf("note %q", got[n].Note)
				}
				got[n].Note = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

type listening func(kube.Event)

func (l listening) Observe(_ context.Context, ev kube.Event, _ int) error { l(ev); return nil }
