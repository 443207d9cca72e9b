package inspector

import (
	"context"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var (
	four1, four2 = netip.MustParseAddr("192.168.136.2"), netip.MustParseAddr("192.168.136.3")
	six1, six2   = netip.MustParseAddr("fd00:136::2"), netip.MustParseAddr("fd00:136::3")
)

// searched is a table with one connection to every address, of which each
// search takes its time.
type searched struct {
	Conntrack
	failures  int // of searches, before they succeed
	questions [][]netip.Addr
}

const searchTakes = 40 * time.Millisecond

func (s *searched) ByReplySource(_ context.Context, addrs []netip.Addr, fn func(flow.Translation) error) error {
	time.Sleep(searchTakes)
	s.questions = append(s.questions, slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare))
	if s.failures > 0 {
		s.failures--
		return syscall.ENOBUFS
	}
	for _, addr := range addrs {
		if err := fn(flow.Translation{Orig: leadsTo(addr), Reply: flow.Tuple{Src: netip.AddrPortFrom(addr, 8000)}}); err != nil {
			return err
		}
	}
	return nil
}

// leadsTo is the connection that conntrack sends to addr.
func leadsTo(addr netip.Addr) flow.Tuple {
	return flow.Tuple{Src: netip.AddrPortFrom(addr.Prev(), 40_000), Dst: netip.AddrPortFrom(six1, 80)}
}

// counting is a kernel side that counts its sweeps.
type counting struct {
	emptied
	sweeps int
}

func (c *counting) Sweep() ([]flow.Listener, error) { c.sweeps++; return nil, nil }

// missing returns an inspector of which these peers are gone.
func missing(table Conntrack, addrs ...netip.Addr) (*Inspector, *counting) {
	kernel := &counting{}
	i := New(Options{Kernel: kernel, Store: NewStore("node-a", "boot", 10), Cluster: cluster.New(cluster.Options{}), Conntrack: table})
	for _, addr := range addrs {
		i.gone.set(addr, gonePeer{pod: departed{at: time.Now()}})
	}
	return i, kernel
}

func do(ctx context.Context, steps []step) {
	for _, next := range steps {
		next(ctx)
	}
}

// connections returns what is known to lead to the gone peers that conntrack
// has answered for.
func (i *Inspector) connections() map[netip.Addr][]flow.Tuple {
	all := map[netip.Addr][]flow.Tuple{}
	for addr, peer := range i.gone.peers {
		if peer.searched {
			all[addr] = peer.tuples
		}
	}
	return all
}

func differ(want, got any) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }))
}

// TestIPv6IsReadOnce: whichever IPv6 address is asked for, conntrack hands out
// all of them. Each IPv4 address is a step of its own.
func TestIPv6IsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &searched{}
		i, _ := missing(table, four1, four2, six1, six2)
		saved := i.removals.saved
		do(t.Context(), i.seekGone([]netip.Addr{six1, four1, six2, four2}))
		if diff := differ([][]netip.Addr{{four1}, {four2}, {six1, six2}}, table.questions); diff != "" {
			t.Errorf("questions: -want +got\n%s", diff)
		}
		want := map[netip.Addr][]flow.Tuple{}
		for _, addr := range []netip.Addr{four1, four2, six1, six2} {
			want[addr] = []flow.Tuple{leadsTo(addr)}
		}
		if diff := differ(want, i.connections()); diff != "" {
			t.Errorf("connections: -want +got\n%s", diff)
		}
		if spent := saved - i.removals.saved; spent < 2*searchTakes || spent > 3*searchTakes {
			t.Errorf("three searches of %v cost the budget %v", searchTakes, spent)
		}
	})
}

// TestSearchesAreMadeAgain: one that fails answers for none of its addresses.
func TestSearchesAreMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &searched{failures: 3}
		i, _ := missing(table, six1, six2, four1)
		i.gone.set(four2, gonePeer{narrow: true})
		do(t.Context(), i.seekGone([]netip.Addr{six1, six2, four1})) // both fail
		do(t.Context(), i.seekAgain())                               // the first fails, the second waits
		if got := len(table.questions); got != 3 || len(i.connections()) != 0 {
			t.Errorf("%d questions, answered for %v; want three that failed", got, i.connections())
		}
		do(t.Context(), i.seekAgain())
		want := map[netip.Addr][]flow.Tuple{six1: {leadsTo(six1)}, six2: {leadsTo(six2)}, four1: {leadsTo(four1)}}
		if diff := differ(want, i.connections()); diff != "" {
			t.Errorf("connections: -want +got\n%s", diff)
		}
		if len(i.seekAgain()) != 0 {
			t.Error("what is answered is asked again")
		}
	})
}

// TestSearchesAreMadeAgainWithinTheirBudget: a removal goes into debt, making up
// for it does not.
func TestSearchesAreMadeAgainWithinTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &searched{failures: 1}
		i, _ := missing(table, four1)
		i.removals.spend(time.Second, time.Now())
		do(t.Context(), i.seekGone([]netip.Addr{four1}))
		do(t.Context(), i.seekAgain())
		if got := len(table.questions); got != 1 {
			t.Errorf("%d questions while the budget is used up, want the removal's alone", got)
		}
		time.Sleep(2 * time.Minute)
		do(t.Context(), i.seekAgain())
		if got := len(table.questions); got != 2 {
			t.Errorf("%d questions once something is saved, want a second", got)
		}
	})
}

// TestARemovalSweepsWithinTheBudget: what it may not spend is left to a later
// round.
func TestARemovalSweepsWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, kernel := missing(nil, four1)
		i.sweeps.spend(time.Second, time.Now())
		do(t.Context(), i.seekGone([]netip.Addr{four1}))
		if kernel.sweeps != 0 {
			t.Errorf("%d sweeps while the budget is used up", kernel.sweeps)
		}
		time.Sleep(2 * time.Minute)
		do(t.Context(), i.seekIdle())
		if kernel.sweeps != 1 {
			t.Errorf("%d sweeps once something is saved, want 1", kernel.sweeps)
		}
	})
}
