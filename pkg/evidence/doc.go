// Package evidence asks the sources about flows: conntrack, the cluster's
// records, the routing table, and which process, pod and Service the ends are.
// An answer is kept for as long as it is current and is one value for all flows
// that it is of. Only a Listening and a Names may be used from any goroutine.
package evidence
