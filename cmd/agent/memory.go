package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// The heap is mostly records of the cluster and flows of a storm. They live long and change
// little. So the collector runs when the heap has grown by two fifths, not by its own size. A
// large heap may grow by mostGarbage, or by a fifth if that is more.
//
// The limit makes the collector work harder while the first list of a large cluster comes in:
// the list leaves as much garbage as records. If the records alone come near the limit, the
// limit grows with them. The collector would run all the time for a limit that cannot be kept.
const (
	gcPercent      = 40
	gcPercentLarge = 20
	gcPercentStep  = 5       // setting another percentage stops all goroutines for a moment
	mostGarbage    = 5 << 20 // bytes, as far as the two percentages allow

	memoryLimit = 75 << 20 // bytes, only of the Go runtime; never fatal
	besidesHeap = 16 << 20 // bytes that the runtime takes beside the heap

	startLasts = 3 * time.Second // it needs more memory than what follows, which is given back then
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

// followHeap adapts the limit and the permitted growth to the live heap, until ctx ends. It
// does so after each collection, which alone shows what lives. A timer would wake an idle
// agent as often as all its other work.
func followHeap(ctx context.Context) {
	byLimit, byPercent := os.Getenv("GOMEMLIMIT") == "", os.Getenv("GOGC") == ""
	if !byLimit && !byPercent {
		return
	}
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	limit, percent := int64(memoryLimit), gcPercent
	afterCollections(func() bool {
		metrics.Read(heap)
		live := heap[0].Value.Uint64()
		if next := limitFor(live); byLimit && next != limit {
			limit = next
			debug.SetMemoryLimit(limit)
		}
		if next := percentFor(live); byPercent && next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		return ctx.Err() == nil
	})
}

// percentFor returns by how much of its size the heap may grow before it is collected.
func percentFor(live uint64) int {
	percent := 100 * mostGarbage / max(live, 1)
	return int(min(max(percent-percent%gcPercentStep, gcPercentLarge), gcPercent))
}

// garbage is what the next collection finds. It has a pointer: the runtime puts
// small objects without one into a shared block, which may live on.
type garbage struct{ _ *garbage }

// afterCollections calls do after each collection, in one goroutine, until it returns
// false.
func afterCollections(do func() bool) {
	again := func(do func() bool) {
		if do() {
			afterCollections(do)
		}
	}
	runtime.AddCleanup(&garbage{}, again, do)
}

// quiet is how long after a collection memory is given back. What needed much of it is
// over by then.
const quiet = 3 * time.Second

// calmAfterCollections calls do some time after a collection, until ctx ends. It calls do
// once for all collections of that time, and ignores the collections that do makes.
func calmAfterCollections(ctx context.Context, wait func() time.Duration, do func()) {
	var waits atomic.Bool
	afterCollections(func() bool {
		if waits.CompareAndSwap(false, true) {
			time.AfterFunc(wait(), func() {
				do()
				waits.Store(false)
			})
		}
		return ctx.Err() == nil
	})
}

func always(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// giver returns the memory of a burst to the system. The runtime does that too, but half
// of the memory stays for minutes. One goroutine at a time may call its methods.
type giver struct{ at time.Time }

// seldom is how often memory is given back at most. In a storm, regular garbage would
// bring a collection after each collection.
const seldom = time.Minute

// wait returns the time from a collection to the next giveBack.
func (g *giver) wait() time.Duration { return max(quiet, seldom-time.Since(g.at)) }

// giveBack collects garbage and returns free memory, if there is enough of both.
func (g *giver) giveBack() {
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(heap)
	if worthGivingBack(heap[0].Value.Uint64(), heap[1].Value.Uint64(), heap[2].Value.Uint64()) {
		g.at = time.Now()
		debug.FreeOSMemory()
	}
}

// worthGivingBack reports whether garbage and free memory are worth a collection.
func worthGivingBack(live, objects, free uint64) bool {
	garbage := objects - min(live, objects)
	return garbage+free >= max(live/4, 1<<20)
}

// limitFor leaves room for as much garbage as gcPercent allows.
func limitFor(live uint64) int64 {
	return max(memoryLimit, int64(live+live*gcPercent/100+besidesHeap))
}
