package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// move takes the addresses of a pod from its old record to its new one;
// either may be nil.
func (s *State) move(old, n *pod, at time.Time) {
	for _, ip := range n.held() {
		a := s.at(ip)
		a.pods = append(a.pods, n)
		s.podNets[network(ip)] = struct{}{}
	}
	for _, ip := range old.held() {
		s.leave(ip, old, at)
	}
	for _, ip := range n.shared() {
		s.at(ip).hostPods++
	}
	for _, ip := range old.shared() {
		s.at(ip).hostPods--
		s.tidy(ip)
	}
	if old == nil && n.Finished && !n.HostNetwork {
		for _, ip := range n.IPs { // first seen when it was over
			s.past.vacated(ip, n.former(at))
		}
	}
	if old != nil {
		s.touch(old.IPs...)
	}
	if n != nil {
		s.touch(n.IPs...)
	}
}

// leave takes a pod's record from an address, and remembers the pod unless a
// newer record of it holds the address.
func (s *State) leave(ip netip.Addr, old *pod, at time.Time) {
	a := s.at(ip)
	stays := false
	kept := a.pods[:0]
	for _, p := range a.pods {
		if p == old {
			continue
		}
		stays = stays || p.ref() == old.ref()
		kept = append(kept, p)
	}
	clear(a.pods[len(kept):])
	a.pods = kept
	if !stays {
		s.past.vacated(ip, old.former(at))
		s.tidy(ip)
	}
}

// touchClaimed marks the addresses about which a pod was asked for: the
// answer is about them.
func (s *State) touchClaimed(pod ref) { s.touch(s.questions.about(pod)...) }

// evict takes a pod's record from its addresses. That it had them stays known.
func (s *State) evict(p *pod) {
	for _, ip := range p.held() {
		a := s.at(ip)
		a.pods = slices.DeleteFunc(a.pods, func(q *pod) bool { return q == p })
		s.past.vacated(ip, p.former(time.Time{}))
		s.tidy(ip)
	}
	for _, ip := range p.shared() {
		s.at(ip).hostPods--
		s.tidy(ip)
	}
}
