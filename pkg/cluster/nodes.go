package cluster

import (
	"time"
)

// node is a Node in the list.
type node struct {
	Node
	read time.Time // last
}

// SetNode records a Node as it is now.
func (s *State) SetNode(n Node, at time.Time) {
	s.write(func() { s.setNode(n, at) })
}

// DeleteNode records that a Node went, or that it was asked for and not found.
func (s *State) DeleteNode(name string, at time.Time) {
	s.write(func() { s.deleteNode(name, at) })
}

func (s *State) setNode(n Node, at time.Time) {
	old := s.nodes[n.Name]
	if old != nil && old.equal(n) {
		old.read = at
		return
	}
	fresh := &node{n, at}
	s.nodes[n.Name] = fresh
	s.goneNodes.drop(n.Name)
	for _, ip := range n.Addrs {
		s.at(ip).node = fresh
	}
	if old != nil {
		s.vacate(old)
	}
	s.touch(n.Addrs...)
	if old == nil || old.State != n.State {
		s.touchNode(n.Name)
	}
}

func (s *State) deleteNode(name string, at time.Time) {
	old := s.nodes[name]
	if _, known := s.goneNodes.get(name); known {
		return
	}
	s.goneNodes.put("", name, at)
	if old == nil {
		s.touchNode(name)
		return
	}
	delete(s.nodes, name)
	s.vacate(old)
	s.touchNode(name)
}

// vacate takes a node's record from the addresses that are still its own.
func (s *State) vacate(old *node) {
	for _, ip := range old.Addrs {
		if a := s.addrs[ip]; a != nil && a.node == old {
			a.node = nil
			s.tidy(ip)
		}
		s.touch(ip)
	}
}

// KnowsNode reports whether the records go by that name for a node: pods say
// which node they run on, but the name that an agent was given may be another.
func (s *State) KnowsNode(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nodes[name] != nil || s.limited && s.podsOf == name
}

// touchNode marks what runs on a node: its state is part of their answer.
func (s *State) touchNode(name string) {
	for _, p := range s.pods {
		if p.Node == name {
			s.touch(p.IPs...)
		}
	}
	for ip, a := range s.addrs {
		a.claims.each(func(c *claim) bool {
			if c.node() == name {
				s.touch(ip)
			}
			return c.node() != name
		})
	}
}

// nodeState returns how a node is, as far as is known.
func (s *State) nodeState(name string, now time.Time) NodeState {
	if n := s.nodes[name]; n != nil {
		if s.limited && now.Sub(n.read) > 2*NodeAge {
			return ""
		}
		return n.State
	}
	if _, went := s.goneNodes.get(name); went {
		return NodeDeleted
	}
	return ""
}
