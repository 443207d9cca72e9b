package tracer

import (
	"runtime"
	"testing"
)

// TestAReadLeavesLittleGarbage: an idle agent reads again and again.
func TestAReadLeavesLittleGarbage(t *testing.T) {
	tr := open(t, Options{})
	const reads = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range reads {
		if _, err := snapshot(tr); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	// The race detector has a pool drop a fourth of what it gets.
	if each := (after.TotalAlloc - before.TotalAlloc) / reads; each > iterBuffer/2 {
		t.Errorf("a read leaves %d bytes", each)
	}
}
