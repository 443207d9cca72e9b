package drops

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const everything = 1<<32 - 1 // sequence numbers

func open(t testing.TB, scope ...uint32) *Watcher {
	t.Helper()
	w, err := Open(scope)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// tupleOf is what a connection sends.
func tupleOf(c *net.TCPConn) flow.Tuple {
	return flow.Tuple{Src: c.LocalAddr().(*net.TCPAddr).AddrPort(), Dst: c.RemoteAddr().(*net.TCPAddr).AddrPort()}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seen waits for a drop of a flow; without one in time it returns none.
func seen(t *testing.T, w *Watcher, id flow.ID, patience time.Duration) []flow.Drop {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		all, _, err := w.Of(id, time.Now())
		must(t, err)
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// TestAFilterIsNamed: of the socket's own segments and, from the other end, of its peer's.
func TestAFilterIsNamed(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			inum := nettest.Loopback(t)
			w := open(t, inum)
			client, server := nettest.Pair(t, network, address)
			sent := tupleOf(client)
			must(t, w.Watch(1, []flow.Tuple{sent}, nil, 0, everything, time.Now()))
			must(t, w.Watch(2, nil, []flow.Tuple{{Src: sent.Src, Dst: sent.Dst}}, 0, everything, time.Now()))
			must(t, w.Watch(3, []flow.Tuple{sent.Reverse()}, nil, 0, everything, time.Now()))
			nettest.Refuse(t, server.LocalAddr().(*net.TCPAddr).Port)
			_, err := client.Write([]byte("hello"))
			must(t, err)
			all := seen(t, w, 2, 5*time.Second) // what is watched last has the tuple
			if len(all) != 1 || all[0].Reason != "NETFILTER_DROP" || !strings.HasPrefix(all[0].Place, "nft_do_chain") || !all[0].Answers || time.Since(all[0].LastAt) > time.Minute {
				t.Fatalf("%+v, want a drop by a filter", all)
			}
			if other := seen(t, w, 3, 50*time.Millisecond); other != nil {
				t.Errorf("%+v, of the other direction", other)
			}
		})
	}
}

// TestOnlyItsOwnSegmentsCount: by their numbers, their network namespace, and while it is watched.
func TestOnlyItsOwnSegmentsCount(t *testing.T) {
	nettest.Loopback(t)
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	sent := []flow.Tuple{tupleOf(client)}
	here, elsewhere := open(t), open(t, 1)
	must(t, here.Watch(1, sent, nil, 0, everything, time.Now()))
	must(t, elsewhere.Watch(1, sent, nil, 0, everything, time.Now()))
	other := open(t)
	must(t, other.Watch(1, sent, nil, 0, 0, time.Now())) // of the number 0 alone
	nettest.Refuse(t, server.LocalAddr().(*net.TCPAddr).Port)
	_, err := client.Write([]byte("hello"))
	must(t, err)
	if all := seen(t, here, 1, 5*time.Second); len(all) != 1 || all[0].Answers {
		t.Fatalf("%+v, want one of its own", all)
	}
	for name, w := range map[string]*Watcher{"of another namespace": elsewhere, "of another number": other} {
		if all := seen(t, w, 1, 10*time.Millisecond); all != nil {
			t.Errorf("%+v, %s", all, name)
		}
	}
	must(t, here.Forget(1))
	if all, since, err := here.Of(1, time.Now()); all != nil || !since.IsZero() || err != nil {
		t.Errorf("%+v since %v, %v: it is forgotten", all, since, err)
	}
	var armed uint32
	must(t, here.objects.Armed.Get(&armed))
	if armed != 0 {
		t.Error("nothing is watched, and each drop is looked at")
	}
}

// TestWatchesHaveABound: what one flow leaves, another may have.
func TestWatchesHaveABound(t *testing.T) {
	w := open(t)
	tuple := func(n int) []flow.Tuple {
		a := flow.Tuple{}
		a.Src = netipAddrPort(n)
		return []flow.Tuple{a}
	}
	for n := range most + 10 {
		must(t, w.Watch(flow.ID(n), tuple(n), nil, 0, everything, time.Now()))
	}
	if len(w.watched) != most {
		t.Errorf("%d are watched, at most %d are to be", len(w.watched), most)
	}
	must(t, w.Forget(0))
	must(t, w.Watch(most+1, tuple(most+1), nil, 0, everything, time.Now()))
	if _, since, _ := w.Of(most+1, time.Now()); since.IsZero() {
		t.Error("there is room, and it is not watched")
	}
}

func TestAReasonOfAnotherSubsystem(t *testing.T) {
	w := &Watcher{reasons: map[uint32]string{6: "NETFILTER_DROP"}}
	for reason, want := range map[uint32]string{6: "NETFILTER_DROP", 3<<16 | 2: "reason 2 of subsystem 3"} {
		if got := w.name(reason); got != want {
			t.Errorf("%d is %q, want %q", reason, got, want)
		}
	}
}

func netipAddrPort(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 80)
}
