package cluster

import "time"

// Lookups is the part of a State for a source that reads single objects by
// name: what it should read, and what it found.
type Lookups struct{ state *guarded }

// Lookups returns the part for a source that reads single objects by name.
func (s *State) Lookups() Lookups { return Lookups{&s.guarded} }

// Ready receives when Take may have something.
func (l Lookups) Ready() <-chan struct{} { return l.state.records.questions.ready }

// Take returns what the source should read: at most 1,000 urgent questions and
// 100 others. There are none unless State.LimitPods or AskNode was called.
func (l Lookups) Take() []Question { return l.state.records.questions.take() }

// AskNode opens the question for a Node.
func (l Lookups) AskNode(name string) {
	l.state.records.questions.ask(Question{Node: name, Urgent: true})
}

// NodeRead reports whether a Node is known from a reading younger than age.
func (l Lookups) NodeRead(name string, age time.Duration, now time.Time) bool {
	l.state.mu.RLock()
	defer l.state.mu.RUnlock()
	return l.state.records.nodes.readWithin(name, age, now)
}

// SetNode records a Node as it is now.
func (l Lookups) SetNode(n Node, at time.Time) {
	l.state.write(func(r *records) { r.setNode(n, at) })
}

// DeleteNode records that a Node was deleted, or that it was not found.
func (l Lookups) DeleteNode(name string, at time.Time) {
	l.state.write(func(r *records) { r.deleteNode(name, at) })
}

// ForgetPod drops the record of a pod that the source does not list. The pod
// was not deleted; the source stops reading it.
func (l Lookups) ForgetPod(k Key, uid string) {
	l.state.write(func(r *records) { r.forgetPod(k, uid) })
}

// SetWorkload records under which name people know a pod's controller, if the
// pod is in the list.
func (l Lookups) SetWorkload(uid, name, kind string) {
	l.state.write(func(r *records) { r.pods.setWorkload(uid, name, kind) })
}
