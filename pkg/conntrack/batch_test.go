package conntrack_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// numbered is the n-th of many connections, every third of IPv6.
func numbered(n int) flow.Tuple {
	if n%3 == 0 {
		return flow.Tuple{Src: netip.AddrPortFrom(service6.Src.Addr(), uint16(10_000+n)), Dst: service6.Dst}
	}
	return flow.Tuple{Src: netip.AddrPortFrom(service4.Src.Addr(), uint16(10_000+n)), Dst: service4.Dst}
}

// crowd fills the table with two of three of so many connections, and returns what to
// ask: all of them, and among them duplicates, mapped and invalid tuples.
func crowd(t testing.TB, connections int) (asked []flow.Tuple) {
	t.Helper()
	var entries []timo.Flow
	for n := range connections {
		here := numbered(n)
		asked = append(asked, here)
		backend := backend4.Src
		if n%3 == 0 {
			backend = backend6.Src
		}
		if n%5 < 3 {
			entries = append(entries, entry(here, flow.Tuple{Src: backend, Dst: here.Src}))
		}
		switch n % 10 {
		case 1:
			asked = append(asked, here, here)
		case 2:
			asked = append(asked, flow.Tuple{Src: backend, Dst: here.Src}) // of the accepted socket
		case 3:
			asked = append(asked, flow.Tuple{}, flow.Tuple{Src: service4.Src, Dst: service6.Dst})
		case 4:
			asked = append(asked, mapped)
		}
	}
	fill(t, append(entries, entry(service4, backend4))...)
	return asked
}

// sameAsLookup compares the answers with those of one lookup after the other.
func sameAsLookup(t *testing.T, table *conntrack.Table, asked []flow.Tuple, answers []conntrack.Answer) {
	t.Helper()
	if len(answers) != len(asked) {
		t.Fatalf("%d answers to %d questions", len(answers), len(asked))
	}
	for n, tuple := range asked {
		want, wantErr := table.Lookup(t.Context(), tuple)
		got := answers[n]
		if diff := cmp.Diff(want, got.Entry, compare); diff != "" {
			t.Errorf("question %d, %s: -want +got\n%s", n, tuple, diff)
		}
		if errors.Is(wantErr, conntrack.ErrNotFound) != errors.Is(got.Err, conntrack.ErrNotFound) || (wantErr == nil) != (got.Err == nil) {
			t.Errorf("question %d, %s: %v, want %v", n, tuple, got.Err, wantErr)
		}
		if wantErr == nil && (got.Entry.Timeout <= 0 || want.Timeout > got.Entry.Timeout) {
			t.Errorf("question %d: timeout %v, and %v later", n, got.Entry.Timeout, want.Timeout)
		}
	}
}

func TestLookupAll(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	asked := crowd(t, 500)
	for _, questions := range []int{0, 1, 31, 32, 33, len(asked)} {
		answers := table.LookupAll(t.Context(), asked[:questions])
		sameAsLookup(t, table, asked[:questions], answers)
		for n, a := range answers {
			if a.Took <= 0 {
				t.Errorf("question %d of %d took %v", n, questions, a.Took)
			}
		}
	}
}

func TestLookupAllConcurrently(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	asked := crowd(t, 100)
	// The goroutines run in the host's namespace.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				sameAsLookup(t, table, asked, table.LookupAll(t.Context(), asked))
			}
		})
	}
	wg.Wait()
}

// TestLookupAllEnds: once the context ends, nothing more is asked, and each answer
// that is missing says why.
func TestLookupAllEnds(t *testing.T) {
	privtest.InNewNetNS(t)
	table, err := conntrack.Open()
	must(t, err)
	asked := crowd(t, 100)
	const parts = 2
	answers := table.LookupAll(&ending{Context: t.Context(), looks: parts}, asked)
	sameAsLookup(t, table, asked[:parts*32], answers[:parts*32])
	for n, a := range answers[parts*32:] {
		invalid := asked[parts*32+n].Src.Addr().Is4() != asked[parts*32+n].Dst.Addr().Is4() || !asked[parts*32+n].Src.IsValid()
		if errors.Is(a.Err, context.Canceled) == invalid || a.Err == nil {
			t.Errorf("question %d after the context ended: %v", n, a.Err)
		}
	}
	must(t, table.Close())
	for n, a := range table.LookupAll(t.Context(), []flow.Tuple{service4, service6}) {
		if !errors.Is(a.Err, os.ErrClosed) {
			t.Errorf("question %d to a closed table: %v", n, a.Err)
		}
	}
}

// ending is a context that ends after it was looked at some times.
type ending struct {
	context.Context
	looks int
}

func (e *ending) Err() error {
	if e.looks--; e.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestLookupAllKeepsItsNamespace(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	if a := table.LookupAll(t.Context(), []flow.Tuple{service4}); !errors.Is(a[0].Err, conntrack.ErrNotFound) {
		t.Errorf("on the open socket: %v, want ErrNotFound", a[0].Err)
	}
}
