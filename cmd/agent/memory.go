package main

import (
	"os"
	"runtime/debug"
)

// The heap is mostly what is known of the cluster: it lives long and changes
// little, so that to collect at half of it more, not at twice of it, costs
// next to nothing. The limit lets the collector work harder before a large
// cluster, while its first list comes in, takes more than it will need.
const (
	gcPercent   = 50
	memoryLimit = 90 << 20 // bytes, of the Go runtime alone; never fatal
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
