package departed

import (
	"iter"
	"maps"
)

// inTurn takes from the groups in turn: the first of each, then the second of
// each. A loop that stops early has seen as much of a small group as of a large
// one.
func inTurn[K comparable, V any](groups map[K][]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		left := maps.Clone(groups)
		for len(left) > 0 {
			for key, group := range left {
				if len(group) == 0 {
					delete(left, key)
					continue
				}
				left[key] = group[1:]
				if !yield(key, group[0]) {
					return
				}
			}
		}
	}
}
