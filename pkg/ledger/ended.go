package ledger

import (
	"cmp"
	"container/list"
	"fmt"
	"iter"
)

// endedEntries are the entries of findings that are over: the latest ones, a
// bounded number. When there are too many, the greediest owner's oldest goes, so
// that no owner's noise displaces the losses of another.
type endedEntries struct {
	most   int
	count  uint64     // of all that were ever put in
	latest *list.List // of *Entry, latest first
	shares shares[*list.Element]
}

func newEndedEntries(most int) *endedEntries {
	return &endedEntries{most: most, latest: list.New()}
}

// put takes in an entry. It must not change any more.
func (e *endedEntries) put(entry *Entry) {
	e.count++
	e.shares.add(e.latest.PushFront(entry), e.count, pathOf(entry)...)
	if e.latest.Len() > e.most {
		e.latest.Remove(e.shares.take())
	}
}

// all returns the entries, latest first.
func (e *endedEntries) all() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for at := e.latest.Front(); at != nil; at = at.Next() {
			if !yield(at.Value.(*Entry)) {
				return
			}
		}
	}
}

// pathOf returns whose finding it is, as a path. Anybody can make pods, processes
// and names of processes. Few can make namespaces of the cluster and users, so
// these come first. Processes of unknown users count as one user's.
func pathOf(e *Entry) []string {
	local := e.facts.local.Value()
	if local.Pod != "" {
		return []string{"pods of " + local.Namespace, local.Pod, "", ""}
	}
	space := fmt.Sprint("network namespace ", e.reading.netns)
	if e.facts.flags&isHost != 0 {
		space = "host"
	}
	return []string{space, "user " + cmp.Or(e.facts.proven.Value().user, "?"), local.Comm, fmt.Sprint(local.PID)}
}
