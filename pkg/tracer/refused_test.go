package tracer

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestARefusedRetransmission: on a kernel that gives no errno, diagnosis knows a filter of this host
// by what a refusal leaves on the socket: nothing counts as retransmitted, and the last try was
// when the armed timer was set.
func TestARefusedRetransmission(t *testing.T) {
	inum := nettest.Loopback(t)
	tr := watch(t, inum)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	s := awaitTimeouts(t, tr, next(t, tr).Suspect.ID, 2)
	if s.RetransOut == 0 && s.Pending == flow.TimerRetransmit {
		t.Fatalf("%+v: it was sent again, and that does not count", s)
	}
	nettest.Refuse(t, server.LocalAddr().(*net.TCPAddr).Port)
	s = awaitTimeouts(t, tr, s.ID, s.Timeouts+1)
	for end := time.Now().Add(patience); s.Pending != flow.TimerRetransmit && time.Now().Before(end); time.Sleep(time.Millisecond) {
		s = awaitTimeouts(t, tr, s.ID, s.Timeouts) // it was read in the timer's own handler
	}
	if tried := s.TimerAt.Add(-s.RTO); s.RetransOut != 0 || s.Sent.Sub(tried).Abs() > 2*s.Tick {
		t.Errorf("%d count as retransmitted, the last try was %v after the timer was set: want none, and at once", s.RetransOut, s.Sent.Sub(tried))
	}
	if shows := tr.Features()["retransmit_error"]; shows != (s.SendErr == int(syscall.EPERM)) {
		t.Errorf("errno %d on a kernel that shows it: %v", s.SendErr, shows)
	}
}
