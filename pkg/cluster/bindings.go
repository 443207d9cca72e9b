package cluster

import (
	"container/heap"
	"slices"
	"time"
)

// binding is one address and port that a Service has in its record.
type binding struct {
	owner *service
	kind  AddressKind
	at    int // in its bindings
}

// endedBinding is a binding that ended. No other Service took its address.
type endedBinding struct {
	service Key
	kind    AddressKind
	at      time.Time // when it ended
}

// bindings are those of one address and port, as a heap. The first one has the
// address. The API server gives a ClusterIP to only one Service, but any tenant
// may write an external IP into a Service. So a ClusterIP comes before the address
// of a load balancer, that before an external IP, and among equals the oldest
// Service comes first.
type bindings []*binding

// precedence orders the kinds, the strongest first.
var precedence = []AddressKind{ClusterIP, LoadBalancerIP, ExternalIP, NodePort}

func (k AddressKind) rank() int { return slices.Index(precedence, k) }

// before reports whether a binding outranks another one.
func (b *binding) before(c *binding) bool {
	if b.kind != c.kind {
		return b.kind.rank() < c.kind.rank()
	}
	if by := b.owner.CreatedAt.Compare(c.owner.CreatedAt); by != 0 {
		return by < 0
	}
	return ref{Key: b.owner.Key()}.compare(ref{Key: c.owner.Key()}) < 0
}

// Len implements heap.Interface.
func (s bindings) Len() int { return len(s) }

// Less implements heap.Interface.
func (s bindings) Less(i, j int) bool { return s[i].before(s[j]) }

// Swap implements heap.Interface.
func (s bindings) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].at, s[j].at = i, j
}

// Push implements heap.Interface.
func (s *bindings) Push(x any) {
	b := x.(*binding)
	b.at = len(*s)
	*s = append(*s, b)
}

// Pop implements heap.Interface.
func (s *bindings) Pop() any {
	last := len(*s) - 1
	b := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return b
}

// add returns the bindings with one more.
func (s bindings) add(b *binding) bindings {
	heap.Push(&s, b)
	return s
}

// remove returns the bindings without one of them.
func (s bindings) remove(b *binding) bindings {
	heap.Remove(&s, b.at)
	return s
}
