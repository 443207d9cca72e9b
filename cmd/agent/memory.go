package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The heap is mostly records of the cluster. They live long and change little, so
// collecting when the heap has grown by half, not by its own size, costs next to
// nothing. The limit makes the collector work harder while the first list of a large
// cluster comes in, which leaves as much garbage as records. If the records alone come
// near the limit, it grows with them: a limit that cannot be kept would make the
// collector run all the time.
const (
	gcPercent   = 50
	memoryLimit = 75 << 20 // bytes, only of the Go runtime; never fatal
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

// followHeap keeps the limit above the live heap, until ctx ends.
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

// limitFor leaves room for as much garbage as gcPercent allows.
func limitFor(live uint64) int64 {
	return max(memoryLimit, int64(live+live*gcPercent/100+besidesHeap))
}
