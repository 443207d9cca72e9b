package cluster

import "time"

// SetService records a Service as it is now.
func (s *State) SetService(svc Service, at time.Time) {
	s.write(func(r *records) { r.services.set(svc, at) })
}

// DeleteService records that a Service was deleted. Its addresses are
// remembered.
func (s *State) DeleteService(k Key, at time.Time) {
	s.write(func(r *records) { r.services.delete(k, at) })
}

// SetSlice records an EndpointSlice as it is now.
func (s *State) SetSlice(sl Slice, at time.Time) {
	s.write(func(r *records) { r.setSlice(sl, at) })
}

// DeleteSlice records that an EndpointSlice was deleted.
func (s *State) DeleteSlice(k Key, at time.Time) {
	s.write(func(r *records) { r.deleteSlice(k, at) })
}

// SetPod records a pod as it is now. It proves that another pod of the same
// name, with another UID, was deleted.
func (s *State) SetPod(p Pod, at time.Time) {
	s.write(func(r *records) { r.setPod(p, at) })
}

// DeletePod records that a pod was deleted, or that a lookup did not find it.
// An empty uid means the pod that has the name now.
func (s *State) DeletePod(k Key, uid string, at time.Time) {
	s.write(func(r *records) { r.pods.delete(k, uid, at) })
}

// Replace records one whole reading of the cluster. Of the kinds that it
// contains, what is absent was deleted. A reading without a single pod, where
// there were pods before, says nothing of pods, and one without a node says
// nothing of nodes: lists are empty for a moment when a server restarts. After
// LimitPods an absent pod is asked for instead.
func (s *State) Replace(objs Objects, at time.Time) {
	s.write(func(r *records) { r.replace(objs, at) })
}

// SetHealth records a successful sync, where detail names the source ("file
// /run/cluster.yaml"), or a failure, where detail says what is wrong. The
// records stay valid until the source was down for Options.MaxStaleness.
func (s *State) SetHealth(up bool, detail string, at time.Time) {
	s.mu.Lock()
	turned := s.records.source.record(up, detail, at)
	s.mu.Unlock()
	if turned {
		s.records.changes.notify()
	}
}

// LimitPods says that the source lists the pods of one node only, and no
// nodes. Of other pods it knows what it reads by name (see Lookups) and what
// the slices name: their absence from the list proves nothing. A Node that was
// not read lately is unknown.
func (s *State) LimitPods(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records.source.limited, s.records.source.podsOf = true, node
}
