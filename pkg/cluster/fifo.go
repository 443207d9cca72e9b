package cluster

import "container/list"

// fifo is a map that holds at most limit entries: the one that was put
// longest ago makes room.
type fifo[K comparable, V any] struct {
	limit int
	order list.List // of entry, oldest first
	byKey map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newFIFO[K comparable, V any](limit int) *fifo[K, V] {
	return &fifo[K, V]{limit: limit, byKey: make(map[K]*list.Element)}
}

func (f *fifo[K, V]) get(k K) (V, bool) {
	if e, ok := f.byKey[k]; ok {
		return e.Value.(entry[K, V]).value, true
	}
	var none V
	return none, false
}

func (f *fifo[K, V]) put(k K, v V) {
	f.drop(k)
	f.byKey[k] = f.order.PushBack(entry[K, V]{k, v})
	if f.order.Len() > f.limit {
		f.drop(f.order.Front().Value.(entry[K, V]).key)
	}
}

func (f *fifo[K, V]) drop(k K) {
	if e, ok := f.byKey[k]; ok {
		f.order.Remove(e)
		delete(f.byKey, k)
	}
}
