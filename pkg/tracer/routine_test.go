package tracer

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestOfManyTimeoutsEachIsCounted: the kernel side looks at every eighth of many
// timeouts, and the count is the same.
func TestOfManyTimeoutsEachIsCounted(t *testing.T) {
	inum := nettest.Loopback(t)
	if _, err := os.Stat("/proc/sys/net/ipv4/tcp_rto_max_ms"); err != nil {
		t.Skip("this kernel has no net.ipv4.tcp_rto_max_ms")
	}
	nettest.Sysctl(t, "ipv4/tcp_rto_max_ms", "1000") // many, and soon
	tr := watch(t, inum)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	first := next(t, tr).Suspect
	id := first.ID
	for n := range 9 {
		s := awaitTimeouts(t, tr, id, n+1)
		if s.Timeouts != n+1 || s.Retransmits-first.Retransmits != s.Timeouts-first.Timeouts {
			t.Fatalf("%d timeouts at %d retransmissions, after %d at %d", s.Timeouts, s.Retransmits, first.Timeouts, first.Retransmits)
		}
	}

	// The kernel side looks at a socket that is new to it, whatever the number of
	// its timeout.
	second := watch(t, inum)
	if s := next(t, second).Suspect; s == nil || s.ID != id {
		t.Fatalf("%+v, want the socket", s)
	}
	if n := kinds(t, second)[flow.KindTimeout]; n > 2 {
		t.Errorf("it was looked at at its timeout %d", n)
	}

	// One that fails is looked at, and so is the next one.
	if !tr.Features()["retransmit_error"] {
		return
	}
	before := awaitTimeouts(t, tr, id, 10).Timeouts
	end := nettest.RefuseUntil(t, server.LocalAddr().(*net.TCPAddr).Port)
	before = awaitSendErr(t, tr, id, syscall.EPERM, before+2)
	end()
	awaitSendErr(t, tr, id, 0, before+2)
}

// awaitSendErr waits until a socket shows an errno, and fails if it shows another one
// after more timeouts than so many. It returns how many it has.
func awaitSendErr(t *testing.T, tr *Tracer, id flow.ID, want syscall.Errno, most int) int {
	t.Helper()
	for ; ; time.Sleep(10 * time.Millisecond) {
		s := awaitTimeouts(t, tr, id, 1)
		if s.SendErr == int(want) {
			return s.Timeouts // perhaps read late: a busy machine may miss two timeouts
		}
		if s.Timeouts > most {
			t.Fatalf("after %d timeouts it shows errno %d, want %d", s.Timeouts, s.SendErr, want)
		}
	}
}

// TestAFailureOfOneHidesNoOthers: sockets that share a place in the kernel side's
// memory fail together. Of so many, some do share one.
func TestAFailureOfOneHidesNoOthers(t *testing.T) {
	inum := nettest.Loopback(t)
	if _, err := os.Stat("/proc/sys/net/ipv4/tcp_rto_max_ms"); err != nil {
		t.Skip("this kernel has no net.ipv4.tcp_rto_max_ms")
	}
	nettest.Sysctl(t, "ipv4/tcp_rto_max_ms", "1000") // many, and soon
	tr := watch(t, inum)
	if !tr.Features()["retransmit_error"] {
		t.Skip("this kernel does not show why a retransmission failed")
	}
	port := hangMany(t, 200) // 1,024 places
	all := func(fits func(flow.Socket) bool) map[flow.ID]flow.Socket {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			sockets, err := snapshot(tr)
			if err != nil {
				t.Fatal(err)
			}
			found := map[flow.ID]flow.Socket{}
			for _, s := range sockets {
				if fits(s) {
					found[s.ID] = s
				}
			}
			if len(found) == 200 {
				return found
			}
		}
		t.Fatal("not all sockets get so far")
		return nil
	}
	// Each eighth timeout is looked at in any case: the next one is far away.
	before := all(func(s flow.Socket) bool { return s.Retransmits >= 8 })
	nettest.Refuse(t, port)
	for id, s := range all(func(s flow.Socket) bool { return s.SendErr == int(syscall.EPERM) }) {
		if later := s.Retransmits - before[id].Retransmits; later > 5 {
			t.Errorf("socket %s shows its failure after %d timeouts", id, later)
		}
	}
}

// hangMany makes connections hang and returns the port that they lead to.
func hangMany(t *testing.T, connections int) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	clients := make([]net.Conn, connections)
	for n := range clients {
		if clients[n], err = net.Dial("tcp4", listener.Addr().String()); err != nil { // nobody accepts them
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = clients[n].Close() })
	}
	port := listener.Addr().(*net.TCPAddr).Port
	nettest.NewWall(t).Drop(port)
	for _, c := range clients {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	return port
}
