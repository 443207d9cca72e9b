package cluster

import "time"

// node is a Node in the list.
type node struct {
	Node
	read time.Time // last
}

// nodes are the Nodes in the list, and those that were deleted.
type nodes struct {
	byName  map[string]*node
	deleted *fifo[string, time.Time] // when
	addrs   *addresses
	changes *changes
}

// set records a Node as it is now. It reports whether its state changed.
func (s *nodes) set(n Node, at time.Time) (turned bool) {
	old := s.byName[n.Name]
	if old != nil && old.equal(n) {
		old.read = at
		return false
	}
	fresh := &node{n, at}
	s.byName[n.Name] = fresh
	s.deleted.drop(n.Name)
	for _, ip := range n.Addrs {
		s.addrs.at(ip).node = fresh
	}
	if old != nil {
		s.release(old)
	}
	s.changes.mark(n.Addrs...)
	return old == nil || old.State != n.State
}

// delete records that a Node was deleted, or that a lookup did not find it. It
// reports whether that is new.
func (s *nodes) delete(name string, at time.Time) bool {
	if _, known := s.deleted.get(name); known {
		return false
	}
	s.deleted.put("", name, at)
	if old := s.byName[name]; old != nil {
		delete(s.byName, name)
		s.release(old)
	}
	return true
}

// release takes a node's old record from the addresses that still have it.
func (s *nodes) release(old *node) {
	for _, ip := range old.Addrs {
		if entry := s.addrs.of(ip); entry != nil && entry.node == old {
			entry.node = nil
			s.addrs.tidy(ip)
		}
		s.changes.mark(ip)
	}
}

// state returns the state of a node. A reading older than maxAge proves
// nothing; 0: readings do not age.
func (s *nodes) state(name string, maxAge time.Duration, now time.Time) NodeState {
	if n := s.byName[name]; n != nil {
		if maxAge > 0 && now.Sub(n.read) > maxAge {
			return ""
		}
		return n.State
	}
	if _, gone := s.deleted.get(name); gone {
		return NodeDeleted
	}
	return ""
}

// readWithin reports whether a node's last reading is younger than age.
func (s *nodes) readWithin(name string, age time.Duration, now time.Time) bool {
	n := s.byName[name]
	return n != nil && now.Sub(n.read) < age
}
