package kube

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// kept is what the source keeps of an API object, in the form that a reflector
// needs: with the resource version, and with the annotation of a bookmark.
type kept[C any] struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	object C
}

// keptList is a list of kept objects.
type keptList[C any] struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []*kept[C]
}

// DeepCopyObject implements runtime.Object. It shares the object, which never
// changes.
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

// strip converts an object, and drops the rest of it.
func strip[O, C any](object *O, meta *metav1.ObjectMeta, convert func(*O) C) *kept[C] {
	k := &kept[C]{object: convert(object)}
	k.ResourceVersion = meta.ResourceVersion
	if end, ok := meta.Annotations[metav1.InitialEventsAnnotationKey]; ok {
		k.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: end}
	}
	return k
}

// relay converts the events of a watch and passes them on. It calls closed when
// there are no more. The reader has to stop it, as any watch.
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
