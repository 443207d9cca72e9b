package diagnosis

import (
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// hindrance is how this host kept the last transmission of a socket from leaving. It is a
// property of the socket, whatever the symptom: a SYN is refused as data is.
type hindrance uint8

const (
	unhindered  hindrance = iota
	byFilter              // EPERM: a rule in OUTPUT, a program on the cgroup
	byRoute               // EHOSTUNREACH and the like: the route's own errno is the soft error
	inQueue               // EBUSY: the copy before it still waits in a queue
	byQueue               // a positive NET_XMIT code: a queue, or a filter on it, dropped it
	unexplained           // it did not leave, and this kernel gives no errno (before 6.17)
)

// neighbourFails is how long the kernel asks a next hop that does not answer: three times, 1 s
// apart. Then it drops what waits for it, and leaves EHOSTUNREACH as the soft error.
const neighbourFails = 3150 * time.Millisecond

func hindered(s *flow.Socket) hindrance {
	switch {
	case keptHere(s) && s.SendWindow > 0:
		return keptBy(s)
	case s.PacketsOut == 0:
		return unhindered
	case s.SendErr < 0:
		return byQueue
	}
	switch syscall.Errno(s.SendErr) {
	case syscall.EPERM:
		return byFilter
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EINVAL, syscall.EACCES:
		return byRoute
	case syscall.EBUSY:
		if outlastsNeighbour(s) {
			return inQueue
		}
	case 0:
		return hinderedSilently(s)
	}
	return unhindered
}

// keptBy explains data that never left. A probe that a queue drops comes again after 500 ms,
// without a back-off (tcp_send_probe0). Any other refusal looks alike.
func keptBy(s *flow.Socket) hindrance {
	if s.ProbesOut > 0 && s.Backoff == 0 && s.Retries2 > 0 {
		return byQueue
	}
	return unexplained
}

// outlastsNeighbour reports whether a copy has waited for longer than the kernel keeps it for a
// next hop. What waits is younger than lsndtime, which a SYN does not set.
func outlastsNeighbour(s *flow.Socket) bool {
	since := s.Sent
	if s.State == flow.SynSent {
		since = s.RetransStamp
	}
	if since.IsZero() {
		since = s.Since
	}
	return syscall.Errno(s.SoftErr) != syscall.EHOSTUNREACH && s.At.Sub(since) >= neighbourFails
}

// hinderedSilently reads what shows without an errno, which the tracepoint has since 6.17: a
// timeout after which nothing counts as retransmitted. Inside the timer's own handler, where no
// timer is armed, nothing does yet. A transmission that fails below TCP has set lsndtime, one
// that waits for its own copy has not.
func hinderedSilently(s *flow.Socket) hindrance {
	if s.Pending != flow.TimerRetransmit || s.Timeouts == 0 || s.RetransOut > 0 || s.LastAck.After(s.Since) || s.LastReceive.After(s.Since) {
		return unhindered
	}
	if last := s.TimerAt.Add(-s.RTO); s.Sent.Sub(last).Abs() <= 2*s.Tick {
		return byFilter
	}
	switch syscall.Errno(s.SoftErr) {
	case syscall.EINVAL, syscall.ENETUNREACH, syscall.EACCES:
		return byRoute
	}
	if outlastsNeighbour(s) {
		return unexplained
	}
	return unhindered
}
