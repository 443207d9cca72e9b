package cluster

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// NodeAge is how old the reading of a Node may be before it is read again. A
// reading of twice that age proves nothing.
const NodeAge = 30 * time.Second

// Question names an object that a source should read by name, because it lists the
// pods of one node only: a pod or, if Pod is empty, a Node.
type Question struct {
	Namespace, Pod string
	UID            string // of the pod that is meant
	Node           string // that the pod runs on, or the Node itself
	// Urgent: a suspect waits for the answer, or a pod that counts as alive may
	// be gone. The source may leave other questions unanswered.
	Urgent bool
}

const (
	maxUrgent    = 1000
	maxNotUrgent = 100
)

// questions wait for a source. They know which addresses the answers concern. They
// are safe for concurrent use.
type questions struct {
	ready chan struct{}

	mu    sync.Mutex
	open  map[Question]struct{}
	count map[bool]int // of the open ones, by urgency
	// addrs holds the addresses for which each pod was asked for.
	addrs *fifo[ref, []netip.Addr]
}

const addrsPerPod = 8

func newQuestions(memory int) *questions {
	return &questions{
		ready: make(chan struct{}, 1), open: make(map[Question]struct{}), count: make(map[bool]int),
		addrs: newFIFO[ref, []netip.Addr](memory),
	}
}

// concern records that an answer about a pod concerns an address.
func (q *questions) concern(pod ref, ip netip.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, _ := q.addrs.get(pod)
	if slices.Contains(list, ip) {
		return
	}
	list = append(slices.Clip(list), ip)
	q.addrs.put(pod.Namespace, pod, list[max(0, len(list)-addrsPerPod):])
}

// about returns the addresses that an answer about a pod concerns.
func (q *questions) about(pod ref) []netip.Addr {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, _ := q.addrs.get(pod)
	return list
}

// ask opens a question, unless too many are open: a caller that still needs the
// answer will ask again.
func (q *questions) ask(one Question) {
	limit := maxNotUrgent
	if one.Urgent {
		limit = maxUrgent
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, open := q.open[one]; open || q.count[one.Urgent] >= limit {
		return
	}
	q.open[one] = struct{}{}
	q.count[one.Urgent]++
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *questions) take() []Question {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]Question, 0, len(q.open))
	for one := range q.open {
		all = append(all, one)
	}
	clear(q.open)
	clear(q.count)
	return all
}
