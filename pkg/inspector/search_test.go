package inspector

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// seekable is a conntrack table whose searches for the connections to backends
// fail, and are counted.
type seekable struct {
	Conntrack
	fails    bool
	searches int
}

const searchTakes = 40 * time.Millisecond

func (s *seekable) ByReplySource(context.Context, []netip.Addr, func(flow.Translation) error) error {
	time.Sleep(searchTakes)
	s.searches++
	if s.fails {
		return syscall.ENOBUFS
	}
	return nil
}

// counting is a kernel side that counts its file scans.
type counting struct {
	holding
	scans, looks int
}

func (c *counting) ScanFiles() ([]flow.Listener, error) { c.scans++; return nil, nil }

func (c *counting) Incremental(named []flow.ID, show func(flow.Socket)) error {
	c.looks++
	return c.holding.Incremental(named, show)
}

var gone4, gone6 = netip.MustParseAddr("192.168.136.2"), netip.MustParseAddr("fd00:136::2")

// bereft returns an inspector of a node on which a backend with an address of
// each family has just gone: that takes two searches.
func bereft(kernel Kernel, table Conntrack) (*Inspector, []netip.Addr) {
	now := time.Now()
	records := cluster.New(cluster.Options{MaxStaleness: time.Hour})
	other := cluster.Pod{Namespace: "shop", Name: "web-1", UID: "uid-2", Node: "node-a", IPs: []netip.Addr{netip.MustParseAddr("192.168.75.2")}}
	cart := cluster.Pod{Namespace: "shop", Name: "cart-1", UID: "uid-1", Node: "node-b", IPs: []netip.Addr{gone4, gone6}}
	records.Replace(cluster.Objects{HasPods: true, Pods: []cluster.Pod{cart, other}}, now)
	records.SetHealth(true, "test", now)
	records.TakeChanged()
	i := watching(Options{Kernel: kernel, Cluster: records, Conntrack: table})
	records.Replace(cluster.Objects{HasPods: true, Pods: []cluster.Pod{other}}, now)
	return i, i.departed.Note(records.TakeChanged(), false, i.idleAt)
}

func do(ctx context.Context, steps []step) {
	for _, next := range steps {
		next(ctx)
	}
}

// TestSearchesAreMadeAgain: one in a round while they fail.
func TestSearchesAreMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &seekable{fails: true}
		i, gone := bereft(&counting{}, table)
		do(t.Context(), i.seekGone(gone))
		if table.searches != 2 {
			t.Fatalf("%d searches for %v, want one for each address family", table.searches, gone)
		}
		do(t.Context(), i.seekAgain())
		if table.searches != 3 {
			t.Errorf("%d searches, want one more: it fails, and the other waits", table.searches)
		}
		if i.calm() {
			t.Error("the agent rests while searches are open")
		}
		table.fails = false
		do(t.Context(), i.seekAgain())
		if do(t.Context(), i.seekAgain()); table.searches != 5 {
			t.Errorf("%d searches, want each once more", table.searches)
		}
		do(t.Context(), i.seekIdle())
		if !i.calm() {
			t.Error("the agent does not rest once everything is found")
		}
	})
}

// TestSearchesAreMadeAgainWithinTheirBudget: a removal goes into debt, making up
// for it does not.
func TestSearchesAreMadeAgainWithinTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &seekable{fails: true}
		i, gone := bereft(&counting{}, table)
		for range 10 {
			do(t.Context(), i.seekGone(gone))
		}
		if table.searches != 20 {
			t.Errorf("%d searches, and a removal does not wait for the budget", table.searches)
		}
		if do(t.Context(), i.seekAgain()); table.searches != 20 {
			t.Errorf("%d searches while the budget is used up", table.searches)
		}
		time.Sleep(time.Minute)
		if do(t.Context(), i.seekAgain()); table.searches != 21 {
			t.Errorf("%d searches once something is saved, want one more", table.searches)
		}
	})
}

// TestARemovalScansWithinTheBudget: what it may not spend is left to a later
// round.
func TestARemovalScansWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &counting{}
		i, gone := bereft(kernel, &seekable{})
		i.budgets.scans.Charge(time.Second, time.Now())
		do(t.Context(), i.seekGone(gone))
		if kernel.scans != 0 {
			t.Errorf("%d file scans while the budget is used up", kernel.scans)
		}
		time.Sleep(2 * time.Minute)
		do(t.Context(), i.seekIdle())
		if kernel.scans != 1 {
			t.Errorf("%d file scans once something is saved, want 1", kernel.scans)
		}
	})
}
