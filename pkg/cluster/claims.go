package cluster

import "slices"

// claims are the claims of one address. Few addresses have more than one. Once
// there are many, they are kept by namespace, so that no namespace makes a step
// slower for another one.
type claims struct {
	few         []*claim
	byNamespace map[string]map[ref]*claim // instead of few, once there were many
}

func (s *claims) empty() bool { return len(s.few) == 0 && len(s.byNamespace) == 0 }

func (s *claims) get(pod ref) *claim {
	if s.byNamespace != nil {
		return s.byNamespace[pod.Namespace][pod]
	}
	for _, c := range s.few {
		if c.pod() == pod {
			return c
		}
	}
	return nil
}

func (s *claims) add(c *claim) {
	if s.byNamespace == nil && len(s.few) < manyClaims {
		s.few = append(s.few, c)
		return
	}
	if s.byNamespace == nil {
		s.byNamespace = make(map[string]map[ref]*claim)
		for _, old := range s.few {
			s.addToNamespace(old)
		}
		s.few = nil
	}
	s.addToNamespace(c)
}

func (s *claims) addToNamespace(c *claim) {
	pod := c.pod()
	its := s.byNamespace[pod.Namespace]
	if its == nil {
		its = make(map[ref]*claim)
		s.byNamespace[pod.Namespace] = its
	}
	its[pod] = c
}

// remove takes the claim for a pod out.
func (s *claims) remove(pod ref, c *claim) {
	if s.byNamespace == nil {
		s.few = slices.DeleteFunc(s.few, func(x *claim) bool { return x == c })
		return
	}
	its := s.byNamespace[pod.Namespace]
	if delete(its, pod); len(its) == 0 {
		delete(s.byNamespace, pod.Namespace)
	}
	if len(s.byNamespace) == 0 {
		s.byNamespace = nil
	}
}

// in returns the claims of a namespace, in order. A namespace that makes many
// claims for one address is not believed.
func (s *claims) in(namespace string) []*claim {
	if s.byNamespace == nil {
		return ordered(slices.DeleteFunc(slices.Clone(s.few), func(c *claim) bool { return c.pod().Namespace != namespace }))
	}
	its := s.byNamespace[namespace]
	if len(its) > manyClaims {
		return nil
	}
	var all []*claim
	for _, c := range its {
		all = append(all, c)
	}
	return ordered(all)
}

// fewClaims is how many claims a namespace may make for an address that has
// many, and still be believed.
const fewClaims = 8

// all returns the claims of all namespaces, in order. If there are many, it
// returns those of the namespaces that make few.
func (s *claims) all() []*claim {
	if s.byNamespace == nil {
		return ordered(slices.Clone(s.few))
	}
	if len(s.byNamespace) > manyClaims {
		return nil
	}
	var all []*claim
	for _, its := range s.byNamespace {
		if len(its) > fewClaims {
			continue
		}
		for _, c := range its {
			all = append(all, c)
		}
	}
	return ordered(all)
}

// each calls examine for every claim, until it returns false.
func (s *claims) each(examine func(*claim) bool) {
	for _, c := range s.few {
		if !examine(c) {
			return
		}
	}
	for _, its := range s.byNamespace {
		for _, c := range its {
			if !examine(c) {
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
