package kube

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// resource is a kind of object that is watched. O is its API type, L the type of
// its list, C what the source keeps of it.
type resource[O, L, C any] struct {
	name     string // in paths and messages
	client   rest.Interface
	params   runtime.ParameterCodec
	selector string // of fields; empty: all
	convert  func(*O) C
	meta     func(*O) *metav1.ObjectMeta
	items    func(*L) ([]O, *metav1.ListMeta)
	link     *link
}

// reflect keeps store up to date until ctx ends.
func (r *resource[O, L, C]) reflect(ctx context.Context, store cache.ReflectorStore) {
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			l, err := r.list(ctx, opts)
			if err != nil {
				r.link.failed(r.name, err)
				return nil, err
			}
			return l, nil
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			w, err := r.watch(ctx, opts)
			if err != nil {
				r.link.failed(r.name, err)
				return nil, err
			}
			r.link.opened(r.name)
			return relay(w, r.event, func() { r.link.closed(r.name) }), nil
		},
	}
	reflector := cache.NewReflectorWithOptions(lw, &kept[C]{}, store, cache.ReflectorOptions{Name: r.name})
	reflector.RunWithContext(ctx)
}

// event converts one event of a watch. It does not change errors.
func (r *resource[O, L, C]) event(e watch.Event) watch.Event {
	if object, ok := any(e.Object).(*O); ok {
		e.Object = strip(object, r.meta(object), r.convert)
	}
	return e
}

// list reads all objects. It uses a stream, of which one object at a time is in
// memory. If the server has no streams, it reads all objects at once.
func (r *resource[O, L, C]) list(ctx context.Context, opts metav1.ListOptions) (*keptList[C], error) {
	if opts.ResourceVersion == "0" {
		opts.ResourceVersion = "" // the latest: an agent that starts must not see old objects
	}
	l, err := r.stream(ctx, opts.ResourceVersion)
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return r.whole(ctx, opts.ResourceVersion)
	}
	return l, err
}

// streamTime is how long a stream of all objects may take.
const streamTime = 2 * time.Minute

// stream lists with a watch that begins with all present objects, and says when
// they are complete (Kubernetes 1.32 and later).
func (r *resource[O, L, C]) stream(ctx context.Context, version string) (*keptList[C], error) {
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	w, err := r.watch(ctx, metav1.ListOptions{
		SendInitialEvents: new(true), AllowWatchBookmarks: true, ResourceVersion: version,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	l := &keptList[C]{}
	for e := range w.ResultChan() {
		if e.Type == watch.Error {
			return nil, fmt.Errorf("list %s: %w", r.name, apierrors.FromObject(e.Object))
		}
		k, ok := r.event(e).Object.(*kept[C])
		switch {
		case !ok:
		case e.Type == watch.Added:
			l.Items = append(l.Items, k)
		case e.Type == watch.Bookmark && k.Annotations[metav1.InitialEventsAnnotationKey] == "true":
			l.ResourceVersion = k.ResourceVersion
			return l, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list %s: %w", r.name, err)
	}
	return nil, fmt.Errorf("list %s: the stream ended early", r.name)
}

// whole lists in one answer, from the server's cache.
func (r *resource[O, L, C]) whole(ctx context.Context, version string) (*keptList[C], error) {
	if version == "" {
		version = "0" // else an old server reads all objects from its database
	}
	all := new(L)
	opts := metav1.ListOptions{ResourceVersion: version, FieldSelector: r.selector}
	if err := r.request(opts).Do(ctx).Into(any(all).(runtime.Object)); err != nil {
		return nil, fmt.Errorf("list %s: %w", r.name, err)
	}
	items, meta := r.items(all)
	l := &keptList[C]{ListMeta: metav1.ListMeta{ResourceVersion: meta.ResourceVersion}, Items: make([]*kept[C], len(items))}
	for i := range items {
		l.Items[i] = strip(&items[i], r.meta(&items[i]), r.convert)
	}
	return l, nil
}

func (r *resource[O, L, C]) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	opts.Watch, opts.FieldSelector = true, r.selector
	w, err := r.request(opts).Watch(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", r.name, err)
	}
	return w, nil
}

func (r *resource[O, L, C]) request(opts metav1.ListOptions) *rest.Request {
	return r.client.Get().Resource(r.name).VersionedParams(&opts, r.params)
}
