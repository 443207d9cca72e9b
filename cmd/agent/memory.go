package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The heap is mostly what is known of the cluster: it lives long and changes
// little, so that to collect at half of it more, not at twice of it, costs
// next to nothing. The limit makes the collector work harder while the first
// list of a large cluster comes in, which leaves as much garbage as records.
// Where the records alone come near the limit it follows them: a limit that
// cannot be kept would have the collector run all the time.
const (
	gcPercent   = 50
	memoryLimit = 75 << 20 // bytes, of the Go runtime alone; never fatal
	besidesHeap = 16 << 20 // bytes that the runtime takes beside the heap
	followEvery = time.Second
)

// limitMemory applies these unless the environment says otherwise.
func limitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// followHeap keeps the limit above what lives, until ctx ends.
func followHeap(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			metrics.Read(live)
			debug.SetMemoryLimit(limitFor(live[0].Value.Uint64()))
		}
	}
}

// limitFor leaves room for as much garbage as gcPercent lets lie.
func limitFor(live uint64) int64 {
	return max(memoryLimit, int64(live+live*gcPercent/100+besidesHeap))
}
