package deadline

import (
	"math/bits"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	// rtoBase is TCP_RTO_MIN. The kernel computes the time of tcp_retries2
	// from it, whatever the socket's own minimum is (tcp_model_timeout).
	rtoBase = 200 * time.Millisecond
	// synBase is TCP_TIMEOUT_INIT, the same for tcp_syn_retries.
	synBase = time.Second
)

// Model returns the time that n doubling timeouts would take, the kernel's
// reading of tcp_retries2 (tcp_model_timeout). n is at least 0, rtoMax at least
// base.
func Model(n int, base, rtoMax time.Duration) time.Duration {
	doublings := bits.Len64(uint64(rtoMax/base)) - 1
	if n <= doublings {
		return ((2 << n) - 1) * base
	}
	return ((2<<doublings)-1)*base + time.Duration(n-doublings)*rtoMax
}

// orphanRetries is tcp_orphan_retries of a socket without an owner. It is
// alive while its timeout has not reached the maximum: then 0 means 8.
func orphanRetries(s flow.Socket, alive bool) int {
	switch {
	case alive && s.OrphanRetries == 0:
		return 8
	case !alive && s.SoftErr != 0:
		return 0 // an ICMP error said that something is wrong
	}
	return s.OrphanRetries
}
