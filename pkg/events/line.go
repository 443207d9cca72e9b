package events

import (
	"container/list"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// line holds the events that wait for a sink, in the order of publishing. When it is
// full, the owner with the most events in it loses its latest, so that one owner's
// storm costs no other owner anything. Each step takes O(1).
type line struct {
	most  int
	order *list.List // of waiting
	owned map[owner][]*list.Element
	// having holds the owners by how many events they have in line; top is the largest number.
	having map[int]map[owner]struct{}
	top    int
}

// owner is a namespace of the cluster or, if that is not known, a network namespace;
// or the agent. The zero value is nobody.
type owner struct {
	agent     bool
	namespace string
	netns     uint32
}

type waiting struct {
	owner owner
	event flow.Event
}

func newLine(most int) *line {
	return &line{most: most, order: list.New(), owned: map[owner][]*list.Element{}, having: map[int]map[owner]struct{}{}}
}

func (l *line) len() int { return l.order.Len() }

// add appends an event. It reports whether that lost an event, this one or another.
func (l *line) add(ev flow.Event) (lost bool) {
	o := ownerOf(ev)
	if lost = l.len() >= l.most; lost {
		if l.top <= len(l.owned[o])+1 { // no owner would have more than this one
			return true
		}
		l.giveLatest(l.greediest())
	}
	l.keep(o, append(l.owned[o], l.order.PushBack(waiting{o, ev})))
	return lost
}

// take removes and returns the first event. There must be one.
func (l *line) take() flow.Event {
	first := l.order.Remove(l.order.Front()).(waiting)
	l.keep(first.owner, l.owned[first.owner][1:])
	return first.event
}

func (l *line) greediest() (greedy owner) {
	for greedy = range l.having[l.top] {
		break
	}
	return greedy
}

func (l *line) giveLatest(o owner) {
	all := l.owned[o]
	l.order.Remove(all[len(all)-1])
	l.keep(o, all[:len(all)-1])
}

// keep records how many events an owner has in line.
func (l *line) keep(o owner, all []*list.Element) {
	had, has := len(l.owned[o]), len(all)
	l.owned[o] = all
	delete(l.having[had], o)
	if len(l.having[had]) == 0 {
		delete(l.having, had)
	}
	if has == 0 {
		delete(l.owned, o)
	} else {
		if l.having[has] == nil {
			l.having[has] = map[owner]struct{}{}
		}
		l.having[has][o] = struct{}{}
	}
	if has > l.top || l.having[l.top] == nil {
		l.top = has
	}
}

func ownerOf(ev flow.Event) owner {
	switch {
	case ev.Flow == nil:
		return owner{agent: true}
	case ev.Flow.Local.Pod != "":
		return owner{namespace: ev.Flow.Local.Namespace}
	}
	return owner{netns: ev.Flow.NetNS}
}
