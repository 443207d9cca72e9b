package cluster

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// NodeAge is how old the reading of a Node may be before it is asked for
// again. After twice that time nothing is concluded from it.
const NodeAge = 30 * time.Second

// Question is what a source that watches the pods of one node only should ask
// for: a pod, or where Pod is empty, a Node.
type Question struct {
	Namespace, Pod string
	UID            string // of the pod that is meant
	Node           string // that the pod runs on, or the Node itself
	// Urgent: a flow under suspicion waits for the answer, or a pod that is
	// taken for alive may not be. Others may be left unanswered.
	Urgent bool
}

const (
	maxUrgent = 1000
	maxIdle   = 100
)

// questions are those that wait for a source.
type questions struct {
	asked chan struct{}

	mu    sync.Mutex
	open  map[Question]struct{}
	count map[bool]int // of the open ones, by urgency
	// concern holds the addresses that each pod was asked for about.
	concern *fifo[ref, []netip.Addr]
}

const addrsPerConcern = 8

func newQuestions(memory int) *questions {
	return &questions{
		asked: make(chan struct{}, 1), open: make(map[Question]struct{}), count: make(map[bool]int),
		concern: newFIFO[ref, []netip.Addr](memory),
	}
}

// note records that an answer about a pod concerns an address.
func (q *questions) note(pod ref, ip netip.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, _ := q.concern.get(pod)
	if slices.Contains(list, ip) {
		return
	}
	list = append(slices.Clip(list), ip)
	q.concern.put(pod.Namespace, pod, list[max(0, len(list)-addrsPerConcern):])
}

// about returns the addresses that a pod was asked for about.
func (q *questions) about(pod ref) []netip.Addr {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, _ := q.concern.get(pod)
	return list
}

// put opens a question, unless too many wait: what still matters will be
// asked again.
func (q *questions) put(one Question) {
	limit := maxIdle
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
	case q.asked <- struct{}{}:
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

// Questions receives when TakeQuestions may have something.
func (s *State) Questions() <-chan struct{} { return s.questions.asked }

// TakeQuestions returns what a source should ask for, at most 1,000 urgent
// questions and 100 others. There are none unless LimitPods was called.
func (s *State) TakeQuestions() []Question { return s.questions.take() }

// LimitPods says that the source lists the pods of one node only. Of the
// others it knows what it is asked for (see Questions) and what the slices
// name: none of them is missed for not being in the list. It also says that
// no Node is listed: one that was not asked for lately is not known.
func (s *State) LimitPods(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limited, s.podsOf = true, node
}

// lists reports whether the source lists the pods of a node.
func (s *State) lists(node string) bool { return !s.limited || node == s.podsOf }

// inquire asks for what would make a judgement surer: the backend's Node, the
// pods that slices alone say have the address, and its past and present ones.
func (s *State) inquire(ip netip.Addr, b Backend, via Key, now time.Time) {
	if !s.limited {
		return
	}
	if n := s.nodes[b.Node]; b.Node != "" && (n == nil || now.Sub(n.read) >= NodeAge) {
		s.questions.put(Question{Node: b.Node, Urgent: true})
	}
	if a := s.addrs[ip]; a.holder() == nil { // who has no say may yet be right
		s.askClaimed(ip, slices.Concat(a.claimed(via.Namespace), a.claimed("")), true)
	}
	formers := s.formers(ip, s.speaker(ip, via))
	for _, f := range formers[max(0, len(formers)-askedPerAddress):] {
		s.askPod(f.pod, f.node, ip, true)
	}
	s.askPod(ref{Key{b.Namespace, b.Pod}, b.PodUID}, b.Node, ip, true)
}

const (
	askedPerAddress   = 16 // pods, for one look at an address
	askedPerNamespace = 2  // of those that its slices claim
)

// askClaimed asks for the pods that slices say have an address. Nobody's
// claims keep another's from being asked for.
func (s *State) askClaimed(ip netip.Addr, claims []*claim, urgent bool) {
	asked, total := make(map[string]int), 0
	for _, c := range claims {
		pod := c.pod()
		if total >= askedPerAddress || asked[pod.Namespace] >= askedPerNamespace || s.fate(pod).kind != unseen {
			continue
		}
		if !urgent && s.had(pod, ip) {
			continue // it was read before
		}
		asked[pod.Namespace]++
		total++
		s.askPod(pod, c.node(), ip, urgent)
	}
}

// Meet says that this node has connections to these addresses. Where slices
// alone say which pod has one, that pod is asked for in time, without urgency:
// once it is gone, nobody can tell any more that it had the address.
func (s *State) Meet(ips map[netip.Addr]struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.limited {
		return
	}
	for ip := range ips {
		if a := s.addrs[ip]; a.holder() == nil {
			s.askClaimed(ip, a.claimed(""), false)
		}
	}
}

// askPod asks for a pod that the source does not list, unless it is known to
// be dead. The answer concerns an address.
func (s *State) askPod(pod ref, node string, ip netip.Addr, urgent bool) {
	if !pod.named() || s.lists(node) || s.fate(pod).kind == dead {
		return
	}
	s.questions.note(pod, ip)
	s.questions.put(Question{Namespace: pod.Namespace, Pod: pod.Name, UID: pod.UID, Node: node, Urgent: urgent})
}

// ForgetPod drops what is known of a pod that the source does not list. It
// did not go; it is not asked for any more.
func (s *State) ForgetPod(k Key, uid string) {
	s.write(func() {
		p := s.pods[k]
		if p == nil || p.UID != uid || s.lists(p.Node) {
			return
		}
		s.unrecord(p)
		s.evict(p)
	})
}

// ReadNode reports whether a Node is known from a reading no older than age.
func (s *State) ReadNode(name string, age time.Duration, now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.nodes[name]
	return n != nil && now.Sub(n.read) < age
}

// AskNode opens the question for a Node.
func (s *State) AskNode(name string) { s.questions.put(Question{Node: name, Urgent: true}) }
