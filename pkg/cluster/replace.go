package cluster

import "time"

// Replace records one whole reading of the cluster: of the kinds that it
// speaks of, what is absent was removed. A reading without a single pod,
// where there were pods before, does not speak of pods, nor does one without
// a node of nodes: lists come out empty for a moment when a server restarts.
// After LimitPods a pod that is absent is asked for instead.
func (s *State) Replace(objs Objects, at time.Time) {
	s.write(func() {
		if objs.HasNodes && (len(objs.Nodes) > 0 || len(s.nodes) == 0) {
			s.replaceNodes(objs.Nodes, at)
		}
		hadPods := len(s.pods) > 0 || s.gonePods.order.Len() > 0
		switch {
		case objs.HasPods && (len(objs.Pods) > 0 || !hadPods || s.limited):
			s.health.hasPods, s.health.podless = true, time.Time{}
			s.replacePods(objs.Pods, at)
		case s.health.hasPods && s.health.podless.IsZero() && !s.limited:
			s.health.podless = at
		}
		if objs.HasSlices {
			s.replaceSlices(objs.Slices, at)
		}
		if objs.HasServices {
			s.replaceServices(objs.Services, at)
		}
	})
}

func (s *State) replacePods(pods []Pod, at time.Time) {
	present := make(map[Key]struct{}, len(pods))
	for _, p := range pods {
		present[p.Key()] = struct{}{}
		s.setPod(p, at)
	}
	for k, p := range s.pods {
		_, ok := present[k]
		switch {
		case ok:
		case !s.limited:
			s.removePod(p, at)
		case s.lists(p.Node): // it can be asked for: one list is no proof
			s.questions.put(Question{Namespace: k.Namespace, Pod: k.Name, UID: p.UID, Node: p.Node, Urgent: true})
		}
	}
}

func (s *State) replaceSlices(all []Slice, at time.Time) {
	present := make(map[Key]struct{}, len(all))
	for _, sl := range all {
		present[sl.Key()] = struct{}{}
		s.setSlice(sl, at)
	}
	for k := range s.slices {
		if _, ok := present[k]; !ok {
			s.deleteSlice(k, at)
		}
	}
}

func (s *State) replaceServices(all []Service, at time.Time) {
	present := make(map[Key]struct{}, len(all))
	for _, svc := range all {
		present[svc.Key()] = struct{}{}
		s.setService(svc, at)
	}
	for k := range s.services {
		if _, ok := present[k]; !ok {
			s.deleteService(k, at)
		}
	}
}

func (s *State) replaceNodes(all []Node, at time.Time) {
	present := make(map[string]struct{}, len(all))
	for _, n := range all {
		present[n.Name] = struct{}{}
		s.setNode(n, at)
	}
	for name := range s.nodes {
		if _, ok := present[name]; !ok {
			s.deleteNode(name, at)
		}
	}
}
