package cluster

import "time"

// replace records one whole reading. Of the kinds that it contains, what is
// absent was deleted.
func (r *records) replace(objs Objects, at time.Time) {
	if objs.HasNodes && (len(objs.Nodes) > 0 || len(r.nodes.byName) == 0) {
		r.replaceNodes(objs.Nodes, at)
	}
	hadPods := len(r.pods.byKey) > 0 || r.past.departed.len() > 0
	switch {
	case objs.HasPods && (len(objs.Pods) > 0 || !hadPods || r.source.limited):
		r.source.hasPods, r.source.podless = true, time.Time{}
		r.replacePods(objs.Pods, at)
	case r.source.hasPods && r.source.podless.IsZero() && !r.source.limited:
		r.source.podless = at
	}
	if objs.HasSlices {
		r.replaceSlices(objs.Slices, at)
	}
	if objs.HasServices {
		r.replaceServices(objs.Services, at)
	}
}

func (r *records) replacePods(all []Pod, at time.Time) {
	present := make(map[Key]struct{}, len(all))
	for _, p := range all {
		present[p.Key()] = struct{}{}
		r.setPod(p, at)
	}
	for k, p := range r.pods.byKey {
		_, ok := present[k]
		switch {
		case ok:
		case !r.source.limited:
			r.pods.remove(p, at)
		case r.source.lists(p.Node): // it can be read by name: one list is no proof
			r.questions.ask(Question{Namespace: k.Namespace, Pod: k.Name, UID: p.UID, Node: p.Node, Urgent: true})
		}
	}
}

func (r *records) replaceSlices(all []Slice, at time.Time) {
	present := make(map[Key]struct{}, len(all))
	for _, sl := range all {
		present[sl.Key()] = struct{}{}
		r.setSlice(sl, at)
	}
	for k := range r.slices.byKey {
		if _, ok := present[k]; !ok {
			r.deleteSlice(k, at)
		}
	}
}

func (r *records) replaceServices(all []Service, at time.Time) {
	present := make(map[Key]struct{}, len(all))
	for _, svc := range all {
		present[svc.Key()] = struct{}{}
		r.services.set(svc, at)
	}
	for k := range r.services.byKey {
		if _, ok := present[k]; !ok {
			r.services.delete(k, at)
		}
	}
}

func (r *records) replaceNodes(all []Node, at time.Time) {
	present := make(map[string]struct{}, len(all))
	turned := make(map[string]bool)
	for _, n := range all {
		present[n.Name] = struct{}{}
		if r.nodes.set(n, at) {
			turned[n.Name] = true
		}
	}
	for name := range r.nodes.byName {
		if _, ok := present[name]; !ok && r.nodes.delete(name, at) {
			turned[name] = true
		}
	}
	if len(turned) > 0 {
		r.markOnNodes(turned)
	}
}
