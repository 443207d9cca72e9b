package main

import "testing"

func TestLimitLeavesRoomAboveWhatLives(t *testing.T) {
	for liveMiB, wantMiB := range map[uint64]int64{0: 75, 20: 75, 60: 106, 200: 316} {
		if got := limitFor(liveMiB<<20) >> 20; got != wantMiB {
			t.Errorf("%d MiB live: limit %d MiB, want %d", liveMiB, got, wantMiB)
		}
	}
}
