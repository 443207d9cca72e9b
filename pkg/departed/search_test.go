package departed

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
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

// kernel takes what is gone.
type kernel struct{}

func (kernel) SetGone([]flow.Tuple, []netip.Addr) error { return nil }

type meter struct{}

func (meter) Lookup(flow.Source, time.Duration, error) {}
func (meter) Scan(string, time.Duration)               {}

// missing returns peers of which these are gone.
func missing(table Conntrack, addrs ...netip.Addr) *Peers {
	p := New(Options{
		Kernel: kernel{}, Conntrack: table, Cluster: cluster.New(cluster.Options{}), Meter: meter{}, Log: slog.New(slog.DiscardHandler),
		Removals: new(budget.Books).New(0.01, time.Minute, time.Now()),
	})
	for _, addr := range addrs {
		p.set(addr, peer{pod: ledger.Departed{At: time.Now()}})
	}
	return p
}

// searchAll makes the searches that addresses take.
func searchAll(t *testing.T, p *Peers, addrs []netip.Addr) {
	t.Helper()
	for _, some := range Searches(addrs) {
		p.Search(t.Context(), some)
	}
}

// connections returns what is known to lead to the gone peers that conntrack has
// answered for.
func (p *Peers) connections() map[netip.Addr][]flow.Tuple {
	all := map[netip.Addr][]flow.Tuple{}
	for addr, at := range p.peers {
		if at.searched {
			all[addr] = at.tuples
		}
	}
	return all
}

func differ(want, got any) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }))
}

// TestIPv6IsReadOnce: whichever IPv6 address is asked for, conntrack hands out
// all of them. Each IPv4 address is a search of its own.
func TestIPv6IsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &searched{}
		p := missing(table, four1, four2, six1, six2)
		searchAll(t, p, []netip.Addr{six1, four1, six2, four2})
		if diff := differ([][]netip.Addr{{four1}, {four2}, {six1, six2}}, table.questions); diff != "" {
			t.Errorf("questions: -want +got\n%s", diff)
		}
		want := map[netip.Addr][]flow.Tuple{}
		for _, addr := range []netip.Addr{four1, four2, six1, six2} {
			want[addr] = []flow.Tuple{leadsTo(addr)}
		}
		if diff := differ(want, p.connections()); diff != "" {
			t.Errorf("connections: -want +got\n%s", diff)
		}
		if spent := p.o.Removals.Spent(); spent < 2*searchTakes || spent > 3*searchTakes {
			t.Errorf("three searches of %v cost the budget %v", searchTakes, spent)
		}
	})
}

// TestSearchesAreMadeAgain: one that fails answers for none of its addresses.
func TestSearchesAreMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &searched{failures: 2}
		p := missing(table, six1, six2, four1)
		p.set(four2, peer{narrow: true})
		searchAll(t, p, []netip.Addr{six1, six2, four1}) // both fail
		if got := len(table.questions); got != 2 || len(p.connections()) != 0 {
			t.Errorf("%d questions, answered for %v; want two that failed", got, p.connections())
		}
		searchAll(t, p, p.Unsearched())
		want := map[netip.Addr][]flow.Tuple{six1: {leadsTo(six1)}, six2: {leadsTo(six2)}, four1: {leadsTo(four1)}}
		if diff := differ(want, p.connections()); diff != "" {
			t.Errorf("connections: -want +got\n%s", diff)
		}
		if left := p.Unsearched(); len(left) != 0 {
			t.Errorf("what is answered is asked again: %v", left)
		}
	})
}

// TestSearchesAreMadeAgainWithinTheirBudget: a removal goes into debt, making up
// for it does not.
func TestSearchesAreMadeAgainWithinTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &searched{failures: 1}
		p := missing(table, four1)
		p.o.Removals.Charge(time.Second, time.Now())
		searchAll(t, p, []netip.Addr{four1})
		if p.MaySearch() {
			t.Error("a search may be made again while the budget is used up")
		}
		time.Sleep(2 * time.Minute)
		if !p.MaySearch() {
			t.Error("no search may be made again although something is saved")
		}
	})
}
