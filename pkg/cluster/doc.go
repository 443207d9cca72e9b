// Package cluster holds what is known of Services, backends, pods and nodes,
// and of their past. It is pure state: a source writes what it saw and when it
// saw it, and nothing here reads a clock.
//
// The most important answer is the state of a backend. Only
// flow.BackendDeleted means that the backend is gone: the pod that had the
// address was deleted, or it finished. After any other change the backend may
// still be alive. A source that is out of date proves nothing.
//
// State is what callers use. It has one lock, and behind the lock are the
// records, a type for each concept:
//
//	pods            the pods in the list
//	addresses       the index by IP address: pods, nodes and claims of slices
//	endpointSlices  the slices, and the claims that they make
//	services        the Services, and the addresses that they bind
//	nodes           the nodes in the list, and the deleted ones
//	past            deleted pods, and which pod had an address before
//	source          whether the source can be trusted, and what it lists
//	changes         the addresses whose answer may have changed
//
// A resolver reads these records and says what is behind one address. The
// questions for the source have a lock of their own, because readers ask.
package cluster
