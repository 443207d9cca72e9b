package inspector

import (
	"cmp"
	"container/list"
	"fmt"
	"iter"
)

// endedFiles are the files of findings that are over: the latest ones, a
// bounded number. When there are too many, the greediest owner's oldest goes, so
// that nobody's noise takes away what somebody else lost.
type endedFiles struct {
	most   int
	count  uint64     // of all that were ever put in
	latest *list.List // of *file, latest first
	shares shares[*list.Element]
}

func newEndedFiles(most int) *endedFiles {
	return &endedFiles{most: most, latest: list.New()}
}

// put takes in a file, which nobody may change any more.
func (e *endedFiles) put(f *file) {
	e.count++
	e.shares.add(e.latest.PushFront(f), e.count, ownerOf(f)...)
	if e.latest.Len() > e.most {
		e.latest.Remove(e.shares.take())
	}
}

// all returns the files, latest first.
func (e *endedFiles) all() iter.Seq[*file] {
	return func(yield func(*file) bool) {
		for at := e.latest.Front(); at != nil; at = at.Next() {
			if !yield(at.Value.(*file)) {
				return
			}
		}
	}
}

// ownerOf returns whose finding it is, as a path. Anybody can make pods, processes
// and names of processes. Few can make namespaces of the cluster and users, so
// these come first. Processes of unknown users count as one user's.
func ownerOf(f *file) []string {
	e := f.evidence
	if e.Local.Pod != "" {
		return []string{"pods of " + e.Local.Namespace, e.Local.Pod, "", ""}
	}
	space := fmt.Sprint("network namespace ", e.Socket.NetNS)
	if e.Host {
		space = "host"
	}
	return []string{space, "user " + cmp.Or(e.User, "?"), e.Local.Comm, fmt.Sprint(e.Local.PID)}
}
