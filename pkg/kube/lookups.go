package kube

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

const (
	// A flow waits for an urgent answer. Other pods are read in case a flow
	// points there: of a thousand pods that a roll-out replaces, every node
	// reads ten at once, and then one each 5 s.
	urgentRate, urgentBurst = rate.Limit(20), 20
	idleRate, idleBurst     = rate.Limit(0.2), 10

	parallel   = 4
	retryAfter = 2 * time.Second
	podAge     = 5 * time.Second // how long a reading of a living pod is good for
	keepPod    = time.Minute     // without a question about it
	maxPending = 1000
)

// subject is what a question is about.
type subject struct {
	pod  cluster.Key
	uid  string
	node string // where pod is empty
}

// lookups reads what the state asks for from the API: single objects by name,
// never a list.
type lookups struct {
	client       *client
	node         string // its pods are watched
	up           func() bool
	state        *cluster.State
	log          *slog.Logger
	urgent, idle *rate.Limiter

	mu      sync.Mutex
	pending map[subject]cluster.Question // not answered yet
	alive   map[subject]time.Time        // pods that were alive when they were last read, and when that was
	denied  map[string]bool              // resources whose refusal was logged
}

func newLookups(c *client, node string, up func() bool, state *cluster.State, log *slog.Logger) *lookups {
	return &lookups{
		client: c, node: node, up: up, state: state, log: log,
		urgent: rate.NewLimiter(urgentRate, urgentBurst), idle: rate.NewLimiter(idleRate, idleBurst),
		pending: make(map[subject]cluster.Question), alive: make(map[subject]time.Time), denied: make(map[string]bool),
	}
}

// run answers questions until ctx ends.
func (q *lookups) run(ctx context.Context) {
	retry := time.NewTicker(retryAfter)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.state.Lookups().Ready():
			q.take(time.Now())
		case now := <-retry.C:
			q.forget(now)
		}
		q.answer(ctx)
	}
}

// take accepts the questions that have no recent answer.
func (q *lookups) take(now time.Time) {
	for _, one := range q.state.Lookups().Take() {
		s := subject{cluster.Key{Namespace: one.Namespace, Name: one.Pod}, one.UID, ""}
		if one.Pod == "" {
			s = subject{node: one.Node}
		}
		if at, ok := q.alive[s]; ok && !one.Urgent && now.Sub(at) < podAge {
			q.alive[s] = now.Add(-podAge) // it left a slice after that reading: read it again
		}
		switch {
		case len(q.pending) >= maxPending:
			return // a caller that still needs an answer will ask again
		case one.Pod == "" && q.state.Lookups().NodeRead(one.Node, cluster.NodeAge, now):
		case now.Sub(q.alive[s]) < podAge:
		case !one.Urgent && !q.idle.AllowN(now, 1):
		default:
			q.pending[s] = one
		}
	}
}

// forget drops the pods that had no question for a while.
func (q *lookups) forget(now time.Time) {
	for s, at := range q.alive {
		if now.Sub(at) >= keepPod {
			delete(q.alive, s)
			q.state.Lookups().ForgetPod(s.pod, s.uid)
		}
	}
}

// answer reads everything that is pending, while the API is up. A question without
// an answer stays pending.
func (q *lookups) answer(ctx context.Context) {
	if !q.up() {
		return
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	for s, one := range maps.Clone(q.pending) {
		if q.urgent.Wait(ctx) != nil {
			break
		}
		group.Go(func() error {
			err := q.ask(ctx, s, one.Node)
			q.mu.Lock()
			defer q.mu.Unlock()
			if err == nil || q.refused(err) {
				delete(q.pending, s)
			}
			return nil
		})
	}
	_ = group.Wait() // its functions return nil
}

// refused reports whether it is useless to ask again. It logs that once for each
// kind of object.
func (q *lookups) refused(err error) bool {
	q.log.Debug("kubernetes API", "err", err)
	if !apierrors.IsForbidden(err) {
		return false
	}
	var status apierrors.APIStatus
	kind := ""
	if errors.As(err, &status) && status.Status().Details != nil {
		kind = status.Status().Details.Kind
	}
	if !q.denied[kind] {
		q.denied[kind] = true
		q.log.Warn("the Kubernetes API refuses an answer: what hangs on it stays unknown", "err", err)
	}
	return true
}

func (q *lookups) ask(ctx context.Context, s subject, node string) error {
	if s.node != "" {
		return q.askNode(ctx, s.node)
	}
	return q.askPod(ctx, s, node)
}

// askNode reads a Node, and records it, or that there is none of that name.
func (q *lookups) askNode(ctx context.Context, name string) error {
	node, err := get[corev1.Node](ctx, q.client.core, "nodes", "", name)
	switch {
	case apierrors.IsNotFound(err):
		q.state.Lookups().DeleteNode(name, time.Now())
	case err != nil:
		return err
	default:
		q.state.Lookups().SetNode(Node(node), time.Now())
	}
	return nil
}

// askPod reads a pod, and records it, or that it is gone: it was not found,
// another pod has its name, or it has finished.
func (q *lookups) askPod(ctx context.Context, s subject, node string) error {
	object, err := get[corev1.Pod](ctx, q.client.core, "pods", s.pod.Namespace, s.pod.Name)
	now := time.Now()
	switch {
	case apierrors.IsNotFound(err):
		return q.recordGone(ctx, s, node)
	case err != nil:
		return err
	}
	pod := Pod(object)
	if s.uid != "" && pod.UID != s.uid {
		return q.recordGone(ctx, s, node)
	}
	if pod.Node == q.node && !pod.Finished {
		return nil // the watch has it, and may have a newer record by now
	}
	q.state.SetPod(pod, now)
	if pod.Finished {
		q.state.DeletePod(s.pod, pod.UID, now)
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.alive[s] = now
	return nil
}

// recordGone records that a pod is gone. It reads the pod's Node first: the
// pod's address may be the Node's, and that one is not gone.
func (q *lookups) recordGone(ctx context.Context, s subject, node string) error {
	now := time.Now()
	if node != "" && !q.state.Lookups().NodeRead(node, cluster.NodeAge, now) {
		if err := q.askNode(ctx, node); err != nil {
			return err
		}
	}
	q.mu.Lock()
	delete(q.alive, s)
	q.mu.Unlock()
	q.state.DeletePod(s.pod, s.uid, now)
	return nil
}
