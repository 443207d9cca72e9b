package flow

import "time"

// Drop is why this node's kernel dropped segments of a flow.
type Drop struct {
	// Answers is true of segments of the peer; false of the socket's own.
	Answers bool
	Reason  string // the kernel's name for it, without the prefix: NETFILTER_DROP
	Place   string // the kernel function that dropped them
	Count   int
	LastAt  time.Time
}
