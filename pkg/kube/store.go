package kube

import (
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// store forwards the objects of one kind from a reflector. It keeps nothing.
type store[C any] struct {
	set     func(C, time.Time)
	remove  func(C, time.Time)
	replace func([]C, time.Time)
}

// Add implements cache.ReflectorStore.
func (s store[C]) Add(object any) error { return s.forward(object, s.set) }

// Update implements cache.ReflectorStore.
func (s store[C]) Update(object any) error { return s.forward(object, s.set) }

// Delete implements cache.ReflectorStore.
func (s store[C]) Delete(object any) error { return s.forward(object, s.remove) }

// Resync implements cache.ReflectorStore.
func (s store[C]) Resync() error { return nil }

// Replace implements cache.ReflectorStore.
func (s store[C]) Replace(objects []any, _ string) error {
	all := make([]C, 0, len(objects))
	for i, object := range objects {
		k, ok := object.(*kept[C])
		if !ok {
			return fmt.Errorf("replace: unexpected %T", object)
		}
		all = append(all, k.object)
		objects[i] = nil
	}
	s.replace(all, time.Now())
	return nil
}

func (s store[C]) forward(object any, to func(C, time.Time)) error {
	k, ok := object.(*kept[C])
	if !ok {
		return fmt.Errorf("forward: unexpected %T", object)
	}
	to(k.object, time.Now())
	return nil
}

func serviceStore(state *cluster.State) store[cluster.Service] {
	return store[cluster.Service]{
		set:    state.SetService,
		remove: func(s cluster.Service, at time.Time) { state.DeleteService(s.Key(), at) },
		replace: func(all []cluster.Service, at time.Time) {
			state.Replace(cluster.Objects{Services: all, HasServices: true}, at)
		},
	}
}

func sliceStore(state *cluster.State) store[cluster.Slice] {
	return store[cluster.Slice]{
		set:    state.SetSlice,
		remove: func(s cluster.Slice, at time.Time) { state.DeleteSlice(s.Key(), at) },
		replace: func(all []cluster.Slice, at time.Time) {
			state.Replace(cluster.Objects{Slices: all, HasSlices: true}, at)
		},
	}
}

func podStore(state *cluster.State, jobs *jobs) store[cluster.Pod] {
	return store[cluster.Pod]{
		set:    func(p cluster.Pod, at time.Time) { state.SetPod(jobs.name(p), at) },
		remove: func(p cluster.Pod, at time.Time) { state.DeletePod(p.Key(), p.UID, at) },
		replace: func(all []cluster.Pod, at time.Time) {
			for i, p := range all {
				all[i] = jobs.name(p)
			}
			state.Replace(cluster.Objects{Pods: all, HasPods: true}, at)
		},
	}
}
