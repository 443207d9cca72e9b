package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

func TestLimitLeavesRoomAboveWhatLives(t *testing.T) {
	for liveMiB, wantMiB := range map[uint64]int64{0: 75, 20: 75, 60: 100, 200: 296} {
		if got := limitFor(liveMiB<<20) >> 20; got != wantMiB {
			t.Errorf("%d MiB live: limit %d MiB, want %d", liveMiB, got, wantMiB)
		}
	}
}

// TestWorkFollowsEachCollection: until it is no longer wanted.
func TestWorkFollowsEachCollection(t *testing.T) {
	var calls atomic.Int32
	called := make(chan int32, 16)
	afterCollections(func() bool {
		n := calls.Add(1)
		called <- n
		return n < 3
	})
	for want := range int32(3) {
		runtime.GC()
		if got := <-called; got != want+1 {
			t.Fatalf("call %d, want %d", got, want+1)
		}
	}
	for range 3 {
		runtime.GC()
	}
	if got := calls.Load(); got != 3 {
		t.Errorf("%d calls, want 3", got)
	}
}

// TestWorkComesOnceForManyCollections: and again after later ones.
func TestWorkComesOnceForManyCollections(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const wait = 200 * time.Millisecond
	called := make(chan time.Time, 16)
	calmAfterCollections(ctx, always(wait), func() { called <- time.Now() })
	for range 2 {
		began := time.Now()
		for range 5 {
			runtime.GC()
		}
		if took := (<-called).Sub(began); took < wait {
			t.Errorf("it was called %v after the first collection, want %v at least", took, wait)
		}
	}
	if n := len(called); n > 1 { // on a slow machine the last collection of a round may be late
		t.Errorf("%d more calls for ten collections in two rounds", n)
	}
}

func TestWhatIsWorthACollection(t *testing.T) {
	for name, c := range map[string]struct {
		live, objects, free uint64 // KiB
		want                bool
	}{
		"an idle agent":                 {3000, 3500, 400, false},
		"an idle agent after its start": {3000, 3500, 600, true},
		"just after a collection":       {24_000, 24_500, 5000, false},
		"garbage of a burst":            {24_000, 30_000, 0, true},
		"room of a burst":               {24_000, 24_000, 6000, true},
		"less than what lived, by far":  {24_000, 20_000, 5000, false},
	} {
		if got := worthGivingBack(c.live<<10, c.objects<<10, c.free<<10); got != c.want {
			t.Errorf("%s: worth it %v, want %v", name, got, c.want)
		}
	}
}

// TestMemoryOfABurstIsGivenBack: and nothing is collected for what is no burst.
func TestMemoryOfABurstIsGivenBack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	collections := func() uint64 {
		n := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
		metrics.Read(n)
		return n[0].Value.Uint64()
	}
	runtime.GC()
	makeGarbage()
	heap := &giver{}
	collects := func() bool {
		before := collections()
		heap.giveBack()
		return collections() > before
	}
	if d := heap.wait(); d != quiet {
		t.Errorf("at first it waits %v, want %v", d, quiet)
	}
	if !collects() {
		t.Error("64 MB of garbage stay")
	}
	if d := heap.wait(); d < seldom-10*time.Second || d > seldom {
		t.Errorf("after that it waits %v, want nearly %v", d, seldom)
	}
	if collects() {
		t.Error("it collects again, and there was no garbage")
	}
}

func makeGarbage() {
	var burst [][]byte
	for range 64 {
		burst = append(burst, make([]byte, 1<<20))
	}
	runtime.KeepAlive(burst)
}

func TestALargeHeapGrowsByLessOfItsSize(t *testing.T) {
	for liveMiB, want := range map[uint64]int{0: 40, 3: 40, 12: 40, 13: 35, 15: 30, 18: 25, 25: 20, 200: 20} {
		if got := percentFor(liveMiB << 20); got != want {
			t.Errorf("%d MiB live: %d %%, want %d %%", liveMiB, got, want)
		}
	}
}
