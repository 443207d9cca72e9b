package tracer

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestGivesUpAsPredicted holds pkg/deadline to the running kernel.
func TestGivesUpAsPredicted(t *testing.T) {
	for _, c := range []struct {
		name        string
		retries2    string
		userTimeout time.Duration
	}{
		{name: "tcp_retries2", retries2: "3"},
		{name: "TCP_USER_TIMEOUT", userTimeout: 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := watch(t, nettest.Loopback(t))
			if c.retries2 != "" {
				nettest.Sysctl(t, "ipv4/tcp_retries2", c.retries2)
			}
			client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			userTimeout(t, client, c.userTimeout)
			hang(t, client, server, "request")
			id := next(t, tr).Suspect.ID
			first, last, end := predict(t, tr, id)
			if got := diagnosis.Outcome(end); got != flow.TimedOut {
				t.Fatalf("it ended as %s", got)
			}
			if off := end.At.Sub(first.At).Abs(); off > 200*time.Millisecond {
				t.Errorf("predicted at the first RTO: off by %v", off)
			}
			if off := end.At.Sub(last.At).Abs(); off > 50*time.Millisecond {
				t.Errorf("predicted at the last RTO: off by %v", off)
			}
		})
	}
}

// predict watches a suspect until it ends and returns the predictions made
// after its first and its last RTO.
func predict(t *testing.T, tr *Tracer, id flow.ID) (first, last flow.GivesUp, end flow.End) {
	t.Helper()
	for deadlineAt := time.Now().Add(patience); time.Now().Before(deadlineAt); {
		select {
		case r := <-tr.Records():
			if r.End != nil && r.End.ID == id {
				return first, last, *r.End
			}
		case <-time.After(20 * time.Millisecond):
		}
		sockets, err := tr.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sockets {
			g := deadline.GivesUp(s)
			if s.ID != id || g.At.IsZero() {
				continue
			}
			if first.At.IsZero() {
				first = g
			}
			last = g
		}
	}
	t.Fatal("the kernel did not give up")
	return first, last, end
}
