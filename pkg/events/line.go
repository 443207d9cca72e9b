package events

import (
	"container/list"
	"fmt"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// line holds the events that wait for a sink, in the order of publishing. When it is
// full, the owner with the most events in it loses its latest, so that one owner's
// storm costs no other owner anything. Each step takes O(1).
type line struct {
	most  int
	order *list.List // of waiting
	owned map[string][]*list.Element
	// having holds the owners by how many events they have in line; top is the largest number.
	having map[int]map[string]struct{}
	top    int
}

type waiting struct {
	owner string
	event flow.Event
}

func newLine(most int) *line {
	return &line{most: most, order: list.New(), owned: map[string][]*list.Element{}, having: map[int]map[string]struct{}{}}
}

func (l *line) len() int { return l.order.Len() }

// add appends an event. It reports whether that lost an event, this one or another.
func (l *line) add(ev flow.Event) (lost bool) {
	owner := ownerOf(ev)
	if lost = l.len() >= l.most; lost {
		if l.top <= len(l.owned[owner])+1 { // no owner would have more than this one
			return true
		}
		l.giveLatest(l.greediest())
	}
	l.keep(owner, append(l.owned[owner], l.order.PushBack(waiting{owner, ev})))
	return lost
}

// take removes and returns the first event. There must be one.
func (l *line) take() flow.Event {
	first := l.order.Remove(l.order.Front()).(waiting)
	l.keep(first.owner, l.owned[first.owner][1:])
	return first.event
}

func (l *line) greediest() string {
	for owner := range l.having[l.top] {
		return owner
	}
	return ""
}

func (l *line) giveLatest(owner string) {
	all := l.owned[owner]
	l.order.Remove(all[len(all)-1])
	l.keep(owner, all[:len(all)-1])
}

// keep records how many events an owner has in line.
func (l *line) keep(owner string, all []*list.Element) {
	had, has := len(l.owned[owner]), len(all)
	l.owned[owner] = all
	delete(l.having[had], owner)
	if len(l.having[had]) == 0 {
		delete(l.having, had)
	}
	if has == 0 {
		delete(l.owned, owner)
	} else {
		if l.having[has] == nil {
			l.having[has] = map[string]struct{}{}
		}
		l.having[has][owner] = struct{}{}
	}
	if has > l.top || l.having[l.top] == nil {
		l.top = has
	}
}

// ownerOf returns the owner of an event: a namespace of the cluster or, if that is
// not known, a network namespace; or the agent.
func ownerOf(ev flow.Event) string {
	switch {
	case ev.Flow == nil:
		return "agent"
	case ev.Flow.Local.Pod != "":
		return "namespace " + ev.Flow.Local.Namespace
	}
	return fmt.Sprint("network namespace ", ev.Flow.NetNS)
}
