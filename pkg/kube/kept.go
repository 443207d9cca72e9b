package kube

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// kept is what is left of an API object on arrival, in the clothes that a
// reflector wants objects in: the resource version, and the annotation of a
// bookmark.
type kept[C any] struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	object C
}

// keptList is a list of them.
type keptList[C any] struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []*kept[C]
}

// DeepCopyObject implements runtime.Object. Nobody changes what is kept.
func (k *kept[C]) DeepCopyObject() runtime.Object {
	other := *k
	return &other
}

// DeepCopyObject implements runtime.Object.
func (l *keptList[C]) DeepCopyObject() runtime.Object {
	other := *l
	other.Items = slices.Clone(l.Items)
	return &other
}

// strip keeps of an object what convert does.
func strip[O, C any](object *O, meta *metav1.ObjectMeta, convert func(*O) C) *kept[C] {
	k := &kept[C]{object: convert(object)}
	k.ResourceVersion = meta.ResourceVersion
	if end, ok := meta.Annotations[metav1.InitialEventsAnnotationKey]; ok {
		k.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: end}
	}
	return k
}

// relay passes the events of a watch on, each converted; closed is called
// when there will be no more. The reader stops it, as every watch.
func relay(w watch.Interface, convert func(watch.Event) watch.Event, closed func()) watch.Interface {
	events := make(chan watch.Event)
	out := watch.NewProxyWatcher(events)
	go func() {
		defer closed()
		defer close(events)
		defer w.Stop()
		for {
			select {
			case <-out.StopChan():
				return
			case e, ok := <-w.ResultChan():
				if !ok {
					return
				}
				select {
				case events <- convert(e):
				case <-out.StopChan():
					return
				}
			}
		}
	}()
	return out
}
