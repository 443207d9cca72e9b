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

// gone is a pod that was seen to go.
type gone struct {
	node        string
	ips         []netip.Addr // that it had last
	hostNetwork bool
	created     time.Time
	asked       bool // it was never in the list: it was asked for and not found
	at          time.Time
}

func (p *pod) ref() ref { return ref{p.Key(), p.UID} }

// pod returns the record of a pod; nil: it is not in the list.
func (s *State) pod(r ref) *pod {
	if p := s.pods[r.Key]; p != nil && p.UID == r.UID {
		return p
	}
	return nil
}

// held returns the addresses that belong to the pod alone.
func (p *pod) held() []netip.Addr {
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

// SetPod records a pod as it is now. A pod of the same name with another UID
// is thereby known to be gone.
func (s *State) SetPod(p Pod, at time.Time) {
	s.write(func() { s.setPod(p, at) })
}

// DeletePod records that a pod went, or that it was asked for and not found.
// An empty uid means the pod that has the name now.
func (s *State) DeletePod(k Key, uid string, at time.Time) {
	s.write(func() { s.deletePod(k, uid, at) })
}

func (s *State) setPod(p Pod, at time.Time) {
	s.health.hasPods = true
	s.trim(&p)
	n := &pod{Pod: p, seen: at, read: at, changed: at}
	old := s.pods[p.Key()]
	switch {
	case old == nil:
	case old.UID != n.UID:
		s.removePod(old, at)
		old = nil
	case old.equal(p):
		old.read = at
		return
	default:
		n.seen = old.seen
		if old.samePhase(n) {
			n.changed = old.changed
		}
	}
	s.pods[p.Key()] = n
	if n.UID != "" {
		s.podsByUID[n.UID] = n
	}
	s.move(old, n, at)
	s.touchClaimed(n.ref())
}

// trim drops and shares what a State needs once or not at all.
func (s *State) trim(p *Pod) {
	p.Namespace, p.Node = s.interned.of(p.Namespace), s.interned.of(p.Node)
	p.Workload, p.WorkloadKind = s.interned.of(p.Workload), s.interned.of(p.WorkloadKind)
	if s.opts.Node != "" && p.Node != s.opts.Node {
		p.Containers = nil
	}
}

func (s *State) deletePod(k Key, uid string, at time.Time) {
	p := s.pods[k]
	if p != nil && (uid == "" || uid == p.UID) {
		s.removePod(p, at)
		return
	}
	r := ref{k, uid}
	if uid == "" {
		return
	}
	if _, known := s.gonePods.get(r); known {
		return
	}
	s.gonePods.put(k.Namespace, r, gone{asked: true, at: at})
	s.touchClaimed(r)
}

func (s *State) removePod(p *pod, at time.Time) {
	s.unrecord(p)
	if p.Finished {
		at = p.changed // it was dead before its record went
	}
	s.gonePods.put(p.Namespace, p.ref(), gone{
		node: p.Node, ips: p.IPs, hostNetwork: p.HostNetwork, created: p.CreatedAt, at: at,
	})
	s.move(p, nil, at)
	s.touchClaimed(p.ref())
}

// unrecord takes a pod out of the list.
func (s *State) unrecord(p *pod) {
	delete(s.pods, p.Key())
	if s.podsByUID[p.UID] == p {
		delete(s.podsByUID, p.UID)
	}
}

// SetWorkload records by what name people know a pod's controller, if the pod
// is in the list.
func (s *State) SetWorkload(uid, name, kind string) {
	s.write(func() {
		if p := s.podsByUID[uid]; p != nil {
			p.Workload, p.WorkloadKind = s.interned.of(name), s.interned.of(kind)
			s.touch(p.IPs...)
		}
	})
}

// PodByIP returns the living pod that an address belongs to: never a
// host-network or a finished one.
func (s *State) PodByIP(ip netip.Addr) (Pod, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.addrs[ip.Unmap()].holder()
	if p == nil {
		return Pod{}, false
	}
	return p.Pod, true
}

// PodByUID returns the pod with that UID, if it is in the list.
func (s *State) PodByUID(uid string) (Pod, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.podsByUID[uid]
	if p == nil {
		return Pod{}, false
	}
	return p.Pod, true
}
