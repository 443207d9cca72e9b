package main

import (
	"runtime"
	"sync/atomic"
	"testing"
)

func TestLimitLeavesRoomAboveWhatLives(t *testing.T) {
	for liveMiB, wantMiB := range map[uint64]int64{0: 75, 20: 75, 60: 106, 200: 316} {
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
