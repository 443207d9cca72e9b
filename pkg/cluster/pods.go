package cluster

import (
	"net/netip"
	"time"
)

// pod is a pod in the list, and when it was seen.
type pod struct {
	Pod
	seen    time.Time // first
	read    time.Time // last
	changed time.Time // when it came into its phase: living, terminating, finished
}

func (p *pod) ref() ref { return ref{p.Key(), p.UID} }

// own returns the addresses that belong to the pod alone.
func (p *pod) own() []netip.Addr {
	if p == nil || p.Finished || p.HostNetwork {
		return nil
	}
	return p.IPs
}

// shared returns the addresses that the pod shares with its node.
func (p *pod) shared() []netip.Addr {
	if p == nil || p.Finished || !p.HostNetwork {
		return nil
	}
	return p.IPs
}

func (p *pod) samePhase(q *pod) bool {
	return p.Finished == q.Finished && p.Terminating == q.Terminating
}

func (p *pod) former(at time.Time) former {
	return former{pod: p.ref(), node: p.Node, created: p.CreatedAt, at: at}
}

// pods are the pods in the list.
type pods struct {
	node      string // the containers of its pods are kept; empty: those of all pods
	byKey     map[Key]*pod
	byUID     map[string]*pod
	addrs     *addresses
	past      *past
	changes   *changes
	interned  interner
	questions *questions
}

// get returns the record of a pod; nil: it is not in the list.
func (s *pods) get(r ref) *pod {
	if p := s.byKey[r.Key]; p != nil && p.UID == r.UID {
		return p
	}
	return nil
}

// set records a pod as it is now. It proves that another pod of the same name
// was deleted.
func (s *pods) set(p Pod, at time.Time) {
	s.trim(&p)
	fresh := &pod{Pod: p, seen: at, read: at, changed: at}
	old := s.byKey[p.Key()]
	switch {
	case old == nil:
	case old.UID != fresh.UID:
		s.remove(old, at)
		old = nil
	case old.equal(p):
		old.read = at
		return
	default:
		fresh.seen = old.seen
		if old.samePhase(fresh) {
			fresh.changed = old.changed
		}
	}
	s.byKey[p.Key()] = fresh
	if fresh.UID != "" {
		s.byUID[fresh.UID] = fresh
	}
	s.addrs.replacePod(old, fresh, at)
	s.markAsked(fresh.ref())
}

// trim drops what is not needed, and shares the strings that many pods repeat.
func (s *pods) trim(p *Pod) {
	p.Namespace, p.Node = s.interned.of(p.Namespace), s.interned.of(p.Node)
	p.Workload, p.WorkloadKind = s.interned.of(p.Workload), s.interned.of(p.WorkloadKind)
	if s.node != "" && p.Node != s.node {
		p.Containers = nil
	}
}

// delete records that a pod was deleted, or that a lookup did not find it. An
// empty uid means the pod that has the name now.
func (s *pods) delete(k Key, uid string, at time.Time) {
	p := s.byKey[k]
	if p != nil && (uid == "" || uid == p.UID) {
		s.remove(p, at)
		return
	}
	if uid == "" {
		return
	}
	if r := (ref{k, uid}); s.past.addNotFound(r, at) {
		s.markAsked(r)
	}
}

// remove takes a pod out of the list, and keeps in the past that it was
// deleted.
func (s *pods) remove(p *pod, at time.Time) {
	s.unindex(p)
	if p.Finished {
		at = p.changed // it was gone before its record was deleted
	}
	s.past.addDeparted(p, at)
	s.addrs.replacePod(p, nil, at)
	s.markAsked(p.ref())
}

// forget takes a pod out of the list. The pod was not deleted.
func (s *pods) forget(p *pod) {
	s.unindex(p)
	s.addrs.forgetPod(p)
}

func (s *pods) unindex(p *pod) {
	delete(s.byKey, p.Key())
	if s.byUID[p.UID] == p {
		delete(s.byUID, p.UID)
	}
}

// setWorkload records the workload of a pod in the list.
func (s *pods) setWorkload(uid, name, kind string) {
	if p := s.byUID[uid]; p != nil {
		p.Workload, p.WorkloadKind = s.interned.of(name), s.interned.of(kind)
		s.changes.mark(p.IPs...)
	}
}

// markAsked marks the addresses of the questions about a pod: this answer
// concerns them.
func (s *pods) markAsked(pod ref) { s.changes.mark(s.questions.about(pod)...) }
