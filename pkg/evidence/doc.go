// Package evidence asks the sources about flows: conntrack, the cluster's
// records, the routing table, and the process, pod and Service of each end. It
// keeps an answer while it is current, as one value for all flows that share it.
// Only a Listening and a Names are safe for concurrent use.
package evidence
