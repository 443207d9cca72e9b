package tracer

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestGivesUpAsPredicted holds every clock of pkg/deadline whose socket has
// something outstanding to the running kernel.
func TestGivesUpAsPredicted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		sysctls map[string]string // below net.ipv4
		stick   func(t *testing.T)
	}{
		// With 3 and more the kernel's bound comes so close to a timeout that a
		// slow machine's delay decides which one is the last.
		{"tcp_retries2", map[string]string{"tcp_retries2": "2"}, func(t *testing.T) { stickInFlight(t) }},
		{"TCP_USER_TIMEOUT", nil, func(t *testing.T) { userTimeout(t, stickInFlight(t), 3*time.Second) }},
		{"orphan", map[string]string{"tcp_orphan_retries": "2"}, func(t *testing.T) { leave(t, stickInFlight(t)) }},
		{"orphan with TCP_USER_TIMEOUT", map[string]string{"tcp_orphan_retries": "7"}, func(t *testing.T) {
			client := stickInFlight(t)
			userTimeout(t, client, 3*time.Second)
			leave(t, client)
		}},
		{"tcp_syn_retries", map[string]string{"tcp_syn_retries": "1"}, func(t *testing.T) { stickConnecting(t, nil) }},
		{"tcp_syn_retries without linear timeouts", map[string]string{"tcp_syn_retries": "2", "tcp_syn_linear_timeouts": "0"}, func(t *testing.T) {
			stickConnecting(t, nil)
		}},
		{"TCP_SYNCNT", map[string]string{"tcp_syn_retries": "6", "tcp_syn_linear_timeouts": "1"}, func(t *testing.T) {
			stickConnecting(t, map[int]int{unix.TCP_SYNCNT: 1})
		}},
		{"TCP_USER_TIMEOUT while connecting", nil, func(t *testing.T) {
			stickConnecting(t, map[int]int{unix.TCP_USER_TIMEOUT: 4500})
		}},
		{"zero window, silent", map[string]string{"tcp_retries2": "3"}, func(t *testing.T) { stickAtZeroWindow(t) }},
		{"zero window with TCP_USER_TIMEOUT", nil, func(t *testing.T) {
			userTimeout(t, stickAtZeroWindow(t), 4*time.Second)
		}},
		{"refused before the first write", map[string]string{"tcp_retries2": "3"}, func(t *testing.T) { stickBeforeSending(t, nettest.Refuse) }},
		{"a full queue before the first write", map[string]string{"tcp_retries2": "5"}, func(t *testing.T) {
			stickBeforeSending(t, func(t testing.TB, _ int) { nettest.FullQueue(t) })
		}},
		{"window closed with data in flight", map[string]string{"tcp_rto_max_ms": "1000"}, func(t *testing.T) { closeWindow(t, stickInFlight(t)) }},
		{"window closed with data in flight and TCP_USER_TIMEOUT", nil, func(t *testing.T) {
			client := stickInFlight(t)
			userTimeout(t, client, 2500*time.Millisecond)
			closeWindow(t, client)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			for name, value := range c.sysctls {
				if _, err := os.Stat("/proc/sys/net/ipv4/" + name); err != nil {
					t.Skipf("this kernel has no net.ipv4.%s", name)
				}
				nettest.Sysctl(t, "ipv4/"+name, value)
			}
			first, last, end := predict(t, tr, func() { c.stick(t) })
			if got := diagnosis.Outcome(end); got != flow.TimedOut {
				t.Fatalf("it ended as %s", got)
			}
			if off := end.At.Sub(first.At).Abs(); off > 200*time.Millisecond {
				t.Errorf("predicted at first: off by %v", end.At.Sub(first.At))
			}
			if off := end.At.Sub(last.At).Abs(); off > 100*time.Millisecond {
				t.Errorf("predicted at last: off by %v", end.At.Sub(last.At))
			}
		})
	}
}

// predict returns the first and the last prediction of the one connection that stick
// makes, and its end. Nothing shows the end of an orphan that dies while the kernel runs
// no program (bpf/lib/end.h): then predict tries another one.
func predict(t *testing.T, tr *Tracer, stick func()) (first, last flow.GivesUp, end flow.End) {
	t.Helper()
	for range 3 {
		stick()
		first, last, end := untilItEnds(t, tr)
		if end != nil {
			return first, last, *end
		}
	}
	t.Fatal("nobody saw three ends in a row")
	return first, last, end
}

// untilItEnds watches the one suspect of its namespace. It returns the first and the
// last prediction, and no end if the suspect was an orphan and nothing has shown it for
// two seconds. The end of a socket that a process holds is always shown.
func untilItEnds(t *testing.T, tr *Tracer) (first, last flow.GivesUp, end *flow.End) {
	t.Helper()
	start, orphan := time.Now(), false
	for shown := start; time.Since(start) < patience; {
		select {
		case r := <-tr.Records():
			if r.End != nil {
				return first, last, r.End
			}
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := tr.ScanFiles(); err != nil {
			t.Fatal(err)
		}
		sockets, err := snapshot(tr)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sockets {
			shown, orphan = time.Now(), s.Orphan
			g := deadline.GivesUp(s)
			if g.At.IsZero() {
				continue
			}
			if first.At.IsZero() {
				first = g
			}
			last = g
		}
		if orphan && time.Since(shown) > 2*time.Second {
			return first, last, nil
		}
	}
	t.Fatal("the kernel did not give up")
	return first, last, end
}
