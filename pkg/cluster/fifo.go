package cluster

import "container/list"

// fifo is a map that holds at most limit entries. Each entry has an owner. When
// the map is full, the oldest entry makes room. But if the owner of the new
// entry has more than a fair share, its own oldest entry does.
type fifo[K comparable, V any] struct {
	limit int
	order *list.List // of entry, oldest first
	byKey map[K]*list.Element
	own   map[string]*list.List // of keys, by owner
	// dropped is called with each key that makes room; nil: nothing is called.
	dropped func(K)
}

type entry[K comparable, V any] struct {
	key   K
	value V
	owner string
	mine  *list.Element // in the owner's list
}

// fair is the share of a fifo that one owner may have once it is full.
const fair = 4

func newFIFO[K comparable, V any](limit int) *fifo[K, V] {
	return &fifo[K, V]{limit: limit, order: list.New(), byKey: make(map[K]*list.Element), own: make(map[string]*list.List)}
}

func (f *fifo[K, V]) len() int { return f.order.Len() }

func (f *fifo[K, V]) get(k K) (V, bool) {
	if e, ok := f.byKey[k]; ok {
		return e.Value.(entry[K, V]).value, true
	}
	var none V
	return none, false
}

func (f *fifo[K, V]) put(owner string, k K, v V) {
	f.forget(k)
	own := f.own[owner]
	if own == nil {
		own = list.New()
		f.own[owner] = own
	}
	f.byKey[k] = f.order.PushBack(entry[K, V]{key: k, value: v, owner: owner, mine: own.PushBack(k)})
	switch {
	case f.order.Len() <= f.limit:
	case own.Len() > max(1, f.limit/fair):
		f.drop(own.Front().Value.(K))
	default:
		f.drop(f.order.Front().Value.(entry[K, V]).key)
	}
}

func (f *fifo[K, V]) drop(k K) {
	if f.forget(k) && f.dropped != nil {
		f.dropped(k)
	}
}

func (f *fifo[K, V]) forget(k K) bool {
	e, ok := f.byKey[k]
	if !ok {
		return false
	}
	had := f.order.Remove(e).(entry[K, V])
	own := f.own[had.owner]
	if own.Remove(had.mine); own.Len() == 0 {
		delete(f.own, had.owner)
	}
	delete(f.byKey, k)
	return true
}
