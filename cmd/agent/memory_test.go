package main

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
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

// TestWorkComesOnceForManyCollections: and again after later ones.
func TestWorkComesOnceForManyCollections(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const wait = 200 * time.Millisecond
	called := make(chan time.Time, 16)
	calmAfterCollections(ctx, wait, func() { called <- time.Now() })
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
