package cluster

import "slices"

// claims are what the slices say of one address. Few addresses have more than
// one; where there is a crowd, each namespace has a room of its own, so that
// no step costs more for the others.
type claims struct {
	few   []*claim
	rooms map[string]map[ref]*claim // instead, once there was a crowd
}

func (s *claims) empty() bool { return len(s.few) == 0 && len(s.rooms) == 0 }

func (s *claims) get(pod ref) *claim {
	if s.rooms != nil {
		return s.rooms[pod.Namespace][pod]
	}
	for _, c := range s.few {
		if c.pod() == pod {
			return c
		}
	}
	return nil
}

func (s *claims) put(c *claim) {
	if s.rooms == nil && len(s.few) < crowd {
		s.few = append(s.few, c)
		return
	}
	if s.rooms == nil {
		s.rooms = make(map[string]map[ref]*claim)
		for _, old := range s.few {
			s.house(old)
		}
		s.few = nil
	}
	s.house(c)
}

func (s *claims) house(c *claim) {
	pod := c.pod()
	room := s.rooms[pod.Namespace]
	if room == nil {
		room = make(map[ref]*claim)
		s.rooms[pod.Namespace] = room
	}
	room[pod] = c
}

// drop takes out what was claimed of a pod.
func (s *claims) drop(pod ref, c *claim) {
	if s.rooms == nil {
		s.few = slices.DeleteFunc(s.few, func(x *claim) bool { return x == c })
		return
	}
	room := s.rooms[pod.Namespace]
	if delete(room, pod); len(room) == 0 {
		delete(s.rooms, pod.Namespace)
	}
	if len(s.rooms) == 0 {
		s.rooms = nil
	}
}

// in returns the claims of a namespace, in order. One that makes a crowd of
// claims at one address says nothing.
func (s *claims) in(namespace string) []*claim {
	if s.rooms == nil {
		return ordered(slices.DeleteFunc(slices.Clone(s.few), func(c *claim) bool { return c.pod().Namespace != namespace }))
	}
	room := s.rooms[namespace]
	if len(room) > crowd {
		return nil
	}
	var all []*claim
	for _, c := range room {
		all = append(all, c)
	}
	return ordered(all)
}

// modest is how many claims of a namespace count in a crowd.
const modest = 8

// all returns the claims of every namespace, in order; in a crowd, those of
// the modest ones.
func (s *claims) all() []*claim {
	if s.rooms == nil {
		return ordered(slices.Clone(s.few))
	}
	if len(s.rooms) > crowd {
		return nil
	}
	var all []*claim
	for _, room := range s.rooms {
		if len(room) > modest {
			continue
		}
		for _, c := range room {
			all = append(all, c)
		}
	}
	return ordered(all)
}

// each calls look for every claim, until it returns false.
func (s *claims) each(look func(*claim) bool) {
	for _, c := range s.few {
		if !look(c) {
			return
		}
	}
	for _, room := range s.rooms {
		for _, c := range room {
			if !look(c) {
				return
			}
		}
	}
}

func ordered(all []*claim) []*claim {
	slices.SortFunc(all, func(c, d *claim) int {
		if by := c.since.Compare(d.since); by != 0 {
			return by
		}
		return c.pod().compare(d.pod())
	})
	return all
}
