package ledger

import "container/heap"

// shares chooses what to drop for a new element: of all that is kept, the
// oldest of the greediest owner. An owner is a path, as namespace and pod: the
// greediest namespace gives first, and in it the greediest pod. Among equals,
// the owner of the oldest element gives. The zero value is empty.
type shares[T any] struct {
	size  int
	kept  []stamped[T] // its own, oldest first; empty where there are parts
	parts heapOf[T]    // greediest first
	named map[string]*shares[T]

	name  string
	place int // among the parts of its whole
}

type stamped[T any] struct {
	thing T
	stamp uint64
}

// add keeps something; stamps grow from one to the next. Paths of one tree are
// equally long. It takes O(log n).
func (s *shares[T]) add(thing T, stamp uint64, owner ...string) {
	s.size++
	if len(owner) == 0 {
		s.kept = append(s.kept, stamped[T]{thing, stamp})
		return
	}
	part := s.named[owner[0]]
	if part != nil {
		part.add(thing, stamp, owner[1:]...)
		heap.Fix(&s.parts, part.place)
		return
	}
	if s.named == nil {
		s.named = map[string]*shares[T]{}
	}
	part = &shares[T]{name: owner[0]}
	part.add(thing, stamp, owner[1:]...)
	s.named[part.name] = part
	heap.Push(&s.parts, part)
}

// take removes and returns the element to drop. There must be one. It takes
// O(log n).
func (s *shares[T]) take() T {
	s.size--
	if len(s.parts) == 0 {
		first := s.kept[0].thing
		s.kept[0] = stamped[T]{}
		s.kept = s.kept[1:]
		return first
	}
	part := s.parts[0]
	thing := part.take()
	if part.size > 0 {
		heap.Fix(&s.parts, 0)
		return thing
	}
	heap.Pop(&s.parts)
	delete(s.named, part.name)
	return thing
}

// oldest returns the stamp of what take would remove.
func (s *shares[T]) oldest() uint64 {
	if len(s.parts) > 0 {
		return s.parts[0].oldest()
	}
	return s.kept[0].stamp
}

// heapOf is a heap of the parts of a whole.
type heapOf[T any] []*shares[T]

func (h heapOf[T]) Len() int { return len(h) }

func (h heapOf[T]) Less(a, b int) bool {
	if h[a].size != h[b].size {
		return h[a].size > h[b].size
	}
	return h[a].oldest() < h[b].oldest()
}

func (h heapOf[T]) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].place, h[b].place = a, b
}

func (h *heapOf[T]) Push(part any) {
	p := part.(*shares[T])
	p.place = len(*h)
	*h = append(*h, p)
}

func (h *heapOf[T]) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
