package conntrack_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// BenchmarkTable measures a lookup and two kinds of search in a table of 200,000
// entries, and their ratios to a dump of the whole table in the same run.
func BenchmarkTable(b *testing.B) {
	const entries, perBackend = 200_000, 10
	privtest.InNewNetNS(b)
	table := open(b)
	at := func(i int) flow.Tuple { // the i-th client's connection
		client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		return flow.Tuple{Src: netip.AddrPortFrom(client, 40_000), Dst: service4.Dst}
	}
	backend := func(i int) netip.AddrPort {
		n := i / perBackend
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(n >> 16), byte(n >> 8), byte(n)}), 8080)
	}
	all := make([]timo.Flow, entries)
	for i := range all {
		all[i] = entry(at(i), flow.Tuple{Src: backend(i), Dst: at(i).Src})
	}
	fill(b, all...)

	dumper, err := timo.Dial(nil)
	must(b, err)
	defer dumper.Close()
	began := time.Now()
	dumped, err := dumper.Dump(nil)
	dump := time.Since(began)
	must(b, err)
	if len(dumped) != entries {
		b.Fatalf("%d entries, want %d", len(dumped), entries)
	}

	const rounds = 5
	var found int
	began = time.Now()
	for i := range rounds {
		must(b, table.ByReplySource(b.Context(), []netip.Addr{backend(i * perBackend).Addr()}, func(flow.Translation) error { found++; return nil }))
	}
	pass := time.Since(began) / rounds
	if found != rounds*perBackend {
		b.Fatalf("found %d entries, want %d", found, rounds*perBackend)
	}
	began = time.Now()
	for i := range rounds {
		found, err := table.Search(b.Context(), at(i))
		must(b, err)
		if len(found) != 1 {
			b.Fatalf("found %d entries, want 1", len(found))
		}
	}
	search := time.Since(began) / rounds

	i := 0
	for b.Loop() {
		i = (i + 7919) % entries
		if _, err := table.Lookup(b.Context(), at(i)); err != nil {
			b.Fatal(err)
		}
	}
	lookup := b.Elapsed() / time.Duration(b.N)
	for name, d := range map[string]time.Duration{"dump": dump, "pass": pass, "search": search} {
		b.ReportMetric(float64(d.Microseconds())/1000, name+"-ms")
	}
	b.ReportMetric(float64(dump)/float64(lookup), "dump/lookup")
	b.ReportMetric(float64(dump)/float64(pass), "dump/pass")
}

// BenchmarkLookups measures the same questions asked one after the other and many at a
// time. Its unit is one question.
func BenchmarkLookups(b *testing.B) {
	const entries = 15_000
	privtest.InNewNetNS(b)
	table := open(b)
	asked, all := make([]flow.Tuple, entries), make([]timo.Flow, entries)
	for i := range asked {
		client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		asked[i] = flow.Tuple{Src: netip.AddrPortFrom(client, 40_000), Dst: service4.Dst}
		all[i] = entry(asked[i], flow.Tuple{Src: backend4.Src, Dst: asked[i].Src})
	}
	fill(b, all...)
	b.Run("single", func(b *testing.B) {
		began := processTime(b)
		for n := range b.N {
			if _, err := table.Lookup(b.Context(), asked[n%entries]); err != nil {
				b.Fatal(err)
			}
		}
		perQuestion(b, began)
	})
	for _, goroutines := range []int{1, 2} {
		b.Run(fmt.Sprintf("together/%d", goroutines), func(b *testing.B) {
			began := processTime(b)
			for done := 0; done < b.N; done += entries {
				lookUpTogether(b, table, asked[:min(entries, b.N-done)], goroutines)
			}
			perQuestion(b, began)
		})
	}
}

// perQuestion reports the CPU time since began, beside the time on a busy machine.
func perQuestion(b *testing.B, began time.Duration) {
	b.ReportAllocs()
	b.ReportMetric(float64(processTime(b)-began)/float64(b.N), "cpu-ns/op")
}

func processTime(b *testing.B) time.Duration {
	b.Helper()
	var t unix.Timespec
	must(b, unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}

func lookUpTogether(b *testing.B, table *conntrack.Table, asked []flow.Tuple, goroutines int) {
	var wg sync.WaitGroup
	for n := range goroutines {
		wg.Go(func() {
			for _, a := range table.LookupAll(b.Context(), asked[len(asked)*n/goroutines:len(asked)*(n+1)/goroutines]) {
				if a.Err != nil {
					b.Error(a.Err)
				}
			}
		})
	}
	wg.Wait()
}
