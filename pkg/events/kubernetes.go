package events

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// Events over the budget are reported as a sum.
const (
	gather = 5 * time.Second // how long a sum gathers
	last   = 2 * time.Second // how long the last sum may take
	late   = 5 * time.Minute // after that, a repetition that the budget delays joins the sum
)

// Observer writes Kubernetes Events; *kube.Events is one.
type Observer interface {
	Observe(ctx context.Context, ev kube.Event, times int) error
}

// Kubernetes is a sink that writes Events of the cluster, for pods and their
// owners: five at once in a namespace, then one every 30 s, whatever happens in
// other namespaces. A repetition raises the count of the Event that is there.
// One Event of the node counts what is over the budget.
type Kubernetes struct {
	observer Observer
	log      *slog.Logger
	started  time.Time
	ctx      context.Context // of requests; ends a moment after the agent's
	cancel   context.CancelFunc

	mu      sync.Mutex
	budget  *budget
	recent  map[kube.Event]*writing // written within the last pause
	over    map[kube.Event]int      // by Event of a sum: how many it counts; 0: perhaps none
	timer   *time.Timer             // nil: nothing waits
	flushed time.Time
	failing bool
}

// writing is when an event was last written, and how often it came since.
type writing struct {
	at       time.Time
	repeated int
	node     string
}

// NewKubernetes returns a sink that stops soon after ctx has ended. An earlier agent
// may have reported a flow that was stuck before now.
func NewKubernetes(ctx context.Context, o Observer, log *slog.Logger) *Kubernetes {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(last, cancel) })
	return &Kubernetes{
		observer: o, log: log, started: time.Now(), ctx: own, cancel: cancel,
		budget: newBudget(), recent: map[kube.Event]*writing{}, over: map[kube.Event]int{},
	}
}

// Write writes the event or counts it. An error is the API's.
func (k *Kubernetes) Write(ev flow.Event) error {
	written, ok := kubernetesEvent(ev)
	if !ok {
		return nil
	}
	times := 1
	if ev.Type == flow.EventRevised || ev.Type == flow.EventStuck && ev.Flow.Since.Before(k.started) {
		times = 0 // it may have been counted already
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.arm()
	if t := k.recent[written]; t != nil {
		t.repeated += times
		return nil
	}
	if !k.budget.allow(written.Pod.Namespace, k.writtenLately(written.Pod)) {
		k.over[kubernetesSum(ev.Flow.Node)] += times
		return nil
	}
	k.recent[written] = &writing{at: time.Now(), node: ev.Flow.Node}
	return k.observe(written, times)
}

// Failing reports whether the API refused the last event that it was given. It is
// not given an event that is only counted.
func (k *Kubernetes) Failing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failing
}

// writtenLately returns how many Events a pod had within the last pause. It
// counts the host's many processes as one.
func (k *Kubernetes) writtenLately(pod kube.PodRef) (n int) {
	if pod == (kube.PodRef{}) {
		return 0
	}
	for ev := range k.recent {
		if ev.Pod == pod {
			n++
		}
	}
	return n
}

// Close writes the sums that wait.
func (k *Kubernetes) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	k.writeSums()
	k.cancel()
	return nil
}

// arm sets a timer to write what waits: soon, if nothing was written lately.
func (k *Kubernetes) arm() {
	if k.timer == nil && k.ctx.Err() == nil && len(k.recent)+len(k.over) > 0 {
		k.timer = time.AfterFunc(max(gather, time.Until(k.flushed.Add(pause))), k.flush)
	}
}

func (k *Kubernetes) flush() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer == nil || k.ctx.Err() != nil {
		return
	}
	k.timer, k.flushed = nil, time.Now()
	k.writeSums()
	k.writeRepetitions()
	k.arm()
}

// writeSums keeps what the API refuses for the next time.
func (k *Kubernetes) writeSums() {
	for sum, n := range maps.Clone(k.over) {
		if k.try(sum, n) {
			delete(k.over, sum)
		}
	}
}

// writeRepetitions forgets Events that no longer repeat.
func (k *Kubernetes) writeRepetitions() {
	for ev, t := range maps.Clone(k.recent) {
		switch {
		case t.repeated == 0 && time.Since(t.at) >= pause:
			delete(k.recent, ev)
		case t.repeated > 0 && time.Since(t.at) >= late:
			k.over[kubernetesSum(t.node)] += t.repeated
			delete(k.recent, ev)
		case t.repeated > 0 && k.budget.repeat(ev.Pod.Namespace) && k.try(ev, t.repeated):
			t.at, t.repeated = time.Now(), 0
		}
	}
	k.budget.forget()
}

func (k *Kubernetes) try(ev kube.Event, times int) bool {
	failed := k.failing
	err := k.observe(ev, times)
	if err != nil && !failed {
		k.log.Warn("Repeated Kubernetes Events are not counted until the API takes them", "err", err)
	}
	return err == nil
}

func (k *Kubernetes) observe(ev kube.Event, times int) error {
	err := k.observer.Observe(k.ctx, ev, times)
	k.failing = err != nil
	return err
}
