package ledger

import (
	"container/heap"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// class separates watched flows from suppressed ones.
type class uint8

const (
	watched class = iota
	suppressed
	classes
)

// suppressedPart is the part of the table that suppressed flows may take: one in
// so many.
const suppressedPart = 10

func classOf(e *Entry) class {
	if m := e.Decision().Suppressed; m != "" && m != flow.SuppressedAtRisk {
		return suppressed
	}
	return watched
}

// ReportAtOnce reports whether a suspect need not wait: its backend is gone, and
// it is not suppressed.
func ReportAtOnce(d diagnosis.Decision) bool {
	return d.AtOnce && (d.Suppressed == "" || d.Suppressed == flow.SuppressedAtRisk)
}

// owner is the proven owner of a flow: a pod; if none is known, a network namespace; in the
// host's own namespace, a process.
type owner struct {
	pod     string // its UID
	netns   uint32
	process flow.Process
}

// quotas count the flows of each owner.
type quotas struct {
	host uint32 // the node's own network namespace
	of   [classes]quota
	pods map[owner]string // the proven pod of a namespace or of a process; at most mostPods
}

// mostPods is how many namespaces and processes have their pod remembered.
const mostPods = 1 << 12

func newQuotas(host uint32) quotas {
	q := quotas{host: host, pods: map[owner]string{}}
	for c := range q.of {
		q.of[c].shares = map[owner]*share{}
	}
	return q
}

// apparent returns the owner of a flow without a known pod.
func (q *quotas) apparent(netns uint32, p flow.Process) owner {
	if netns != q.host {
		return owner{netns: netns}
	}
	return owner{netns: netns, process: p}
}

func (q *quotas) ownerOf(netns uint32, p flow.Process) owner {
	by := q.apparent(netns, p)
	if pod, ok := q.pods[by]; ok {
		return owner{pod: pod}
	}
	return by
}

// notePod notes the pod of a flow, if it is known. The flows that its namespace or its
// process has from now on are that pod's, before anything is asked about them.
func (q *quotas) notePod(netns uint32, p flow.Process, pod string) {
	by := q.apparent(netns, p)
	if pod == "" || pod == q.pods[by] || by == (owner{netns: q.host}) { // of no known process
		return
	}
	if len(q.pods) >= mostPods { // the next flows prove it again
		clear(q.pods)
	}
	q.pods[by] = pod
}

// rehome counts a flow under its present class and owner.
func (q *quotas) rehome(s *slot) {
	r := &s.entry.reading
	p := flow.Process{PID: r.pid, Started: r.started}
	q.notePod(r.netns, p, s.entry.facts.proven.Value().podUID)
	class, by := classOf(s.entry), q.ownerOf(r.netns, p)
	if class == s.class && by == s.share.owner {
		return
	}
	q.of[s.class].remove(s)
	q.of[class].add(s, by)
	s.class = class
}

// victim returns the flow that makes room for one of an owner: a suppressed one
// of the greediest owner, else a watched one of the greediest; nil: no owner has
// more than this one.
func (q *quotas) victim(by owner) *slot {
	if s := q.of[suppressed].greediest(); s != nil {
		return s
	}
	all := &q.of[watched]
	own := 0
	if share := all.shares[by]; share != nil {
		own = len(share.slots)
	}
	if s := all.greediest(); s != nil && len(s.share.slots) > own+1 {
		return s
	}
	return nil
}

// quota counts the flows of one class, by owner. The greediest owner's latest
// flow is the first to go.
type quota struct {
	size   int
	shares map[owner]*share
	order  byGreed
}

// share is the flows of one owner.
type share struct {
	owner owner
	slots []*slot
	place int // in the order
}

func (q *quota) add(s *slot, by owner) {
	sh := q.shares[by]
	if sh == nil {
		sh = &share{owner: by}
		q.shares[by] = sh
		heap.Push(&q.order, sh)
	}
	s.share, s.held = sh, len(sh.slots)
	sh.slots = append(sh.slots, s)
	q.size++
	heap.Fix(&q.order, sh.place)
}

func (q *quota) remove(s *slot) {
	sh, last := s.share, len(s.share.slots)-1
	sh.slots[s.held] = sh.slots[last]
	sh.slots[s.held].held = s.held
	sh.slots[last] = nil
	sh.slots = sh.slots[:last]
	q.size--
	if last > 0 {
		heap.Fix(&q.order, sh.place)
		return
	}
	heap.Remove(&q.order, sh.place)
	delete(q.shares, sh.owner)
}

// greediest returns the latest flow of the owner with most flows; nil: there is
// none.
func (q *quota) greediest() *slot {
	if len(q.order) == 0 {
		return nil
	}
	slots := q.order[0].slots
	return slots[len(slots)-1]
}

// byGreed is a heap of shares, the largest first.
type byGreed []*share

func (o byGreed) Len() int           { return len(o) }
func (o byGreed) Less(a, b int) bool { return len(o[a].slots) > len(o[b].slots) }

func (o byGreed) Swap(a, b int) {
	o[a], o[b] = o[b], o[a]
	o[a].place, o[b].place = a, b
}

func (o *byGreed) Push(x any) {
	s := x.(*share)
	s.place = len(*o)
	*o = append(*o, s)
}

func (o *byGreed) Pop() any {
	old := *o
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*o = old[:len(old)-1]
	return s
}
