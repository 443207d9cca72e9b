package tracer

import (
	"net"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
)

// TestARecoverySignals: the tracepoint counts it. The reading says beforehand whether it
// will: without SACK, the kernel leaves the Loss state only once more is acknowledged.
func TestARecoverySignals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sack    string
		signals bool
	}{
		"with SACK":    {"1", true},
		"without SACK": {"0", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			if signs, err := tr.Signs(); err != nil || !signs.Signalled {
				t.Fatalf("%+v, %v: this kernel has no tcp_cong_state_set", signs, err)
			}
			nettest.Sysctl(t, "ipv4/tcp_sack", c.sack)
			client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			wall := nettest.NewWall(t)
			wall.Drop(server.LocalAddr().(*net.TCPAddr).Port)
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			s := next(t, tr).Suspect
			if s.Signals != c.signals {
				t.Errorf("the reading says that it signals: %v, want %v", s.Signals, c.signals)
			}
			signs := func() uint64 {
				signs, err := tr.Signs()
				if err != nil {
					t.Fatal(err)
				}
				return signs.Recovered
			}
			if n := signs(); n != 0 {
				t.Errorf("%d recoveries are signalled while it is stuck", n)
			}
			wall.Open()
			if _, err := server.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(patience); incremental(t, tr, s.ID) == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("it does not recover")
				}
			}
			if n, want := signs(), uint64(truth(c.signals)); n != want {
				t.Errorf("%d recoveries are signalled, want %d", n, want)
			}
			// Without SACK, the socket leaves the Loss state now. Its recovery was shown before.
			ping(t, server, client)
			if n, want := signs(), uint64(truth(c.signals)); n != want {
				t.Errorf("%d recoveries are signalled after more traffic, want %d", n, want)
			}
		})
	}
}
