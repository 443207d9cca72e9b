package kube

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Event is one report about a pod or a node. Two equal Events are one
// Kubernetes Event, which counts how often it was observed.
type Event struct {
	Pod     PodRef // that it is about; zero: it is about this node
	Service string // namespace/name of the related Service; empty: none
	Reason  string // in CamelCase
	Note    string // for people; it is the same in each observation
	Warning bool
}

// PodRef names a pod.
type PodRef struct{ Namespace, Name, UID string }

const (
	reporter  = "tcpstuck-agent"
	longest   = 1024 // bytes of a note that the API takes
	nameLimit = 253
	// writing is how long an Event may take: it delays those behind it.
	writing = 5 * time.Second
)

// Events writes events.k8s.io/v1. It may be used from any goroutine. A call
// takes at most 15 s.
type Events struct {
	client *client
	node   string
}

// Events returns a writer that shares the source's connection.
func (a *API) Events() *Events { return &Events{client: a.client, node: a.node} }

// Observe reports that something was observed so many times more: as a new
// Event, or in the count of an equal one that the API still has. Zero times is
// for an Event that may have been reported before: it is not counted again.
func (e *Events) Observe(ctx context.Context, ev Event, times int) error {
	known, err := e.create(ctx, ev, max(times, 1))
	if err != nil || !known || times == 0 {
		return err
	}
	object := e.object(ev, 1)
	was, err := e.patch(ctx, object, struct{}{}) // changes nothing: the answer is the present Event
	if err != nil {
		return err
	}
	count := int32(times) + 1
	if was.Series != nil {
		count = was.Series.Count + int32(times)
	}
	_, err = e.patch(ctx, object, map[string]*eventsv1.EventSeries{"series": series(count)})
	return err
}

// create creates the Event. It reports whether the API has it already.
func (e *Events) create(ctx context.Context, ev Event, times int) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, writing)
	defer cancel()
	object := e.object(ev, times)
	err = e.client.events.Post().Namespace(object.Namespace).Resource("events").Body(object).Do(ctx).Error()
	if apierrors.IsAlreadyExists(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("create Event: %s", oneLine(err))
	}
	return false, nil
}

func (e *Events) patch(ctx context.Context, object *eventsv1.Event, change any) (*eventsv1.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, writing)
	defer cancel()
	body, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("encode the count of an Event: %w", err)
	}
	now := new(eventsv1.Event)
	err = e.client.events.Patch(types.MergePatchType).Namespace(object.Namespace).Resource("events").Name(object.Name).
		Body(body).Do(ctx).Into(now)
	if err != nil {
		return nil, fmt.Errorf("count an Event: %s", oneLine(err))
	}
	return now, nil
}

func (e *Events) object(ev Event, times int) *eventsv1.Event {
	// As the kubelet does it: the UID of a Node is its name, and its Events are
	// in the default namespace.
	regarding := corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: e.node, UID: types.UID(e.node)}
	namespace := metav1.NamespaceDefault
	if ev.Pod != (PodRef{}) {
		regarding = corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: ev.Pod.Namespace, Name: ev.Pod.Name, UID: types.UID(ev.Pod.UID)}
		namespace = ev.Pod.Namespace
	}
	object := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: e.name(regarding.Name, ev)},
		EventTime:  metav1.NowMicro(), ReportingController: reporter, ReportingInstance: cut(e.node, 128),
		Action: "Observe", Reason: ev.Reason, Note: cut(ev.Note, longest), Type: corev1.EventTypeNormal, Regarding: regarding,
	}
	if ev.Warning {
		object.Type = corev1.EventTypeWarning
	}
	if namespace, name, ok := strings.Cut(ev.Service, "/"); ok {
		object.Related = &corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name}
	}
	if times > 1 {
		object.Series = series(int32(times))
	}
	return object
}

// name returns the same name for equal Events, also after a restart: nothing
// has to remember what was reported.
func (e *Events) name(regarding string, ev Event) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %v", []string{e.node, ev.Pod.Namespace, ev.Pod.Name, ev.Pod.UID, ev.Service, ev.Reason, ev.Note}, ev.Warning))
	suffix := fmt.Sprintf(".%x", sum[:8])
	return strings.TrimRight(cut(regarding, nameLimit-len(suffix)), "-.") + suffix
}

func series(count int32) *eventsv1.EventSeries {
	return &eventsv1.EventSeries{Count: count, LastObservedTime: metav1.NowMicro()}
}

// cut shortens text to at most so many bytes, without half a character at the
// end.
func cut(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "")
}
