package inspector

import "time"

const (
	tick     = time.Second
	calmTick = 5 * time.Second // the longest time between two ticks
)

// ticker ticks for regular rounds. While nothing is held or sought, it ticks less
// often: the agent of an idle node mostly pays for being woken.
type ticker struct {
	*time.Timer
	last  time.Time
	every time.Duration
}

func newTicker(every time.Duration) *ticker {
	return &ticker{Timer: time.NewTimer(every), last: time.Now(), every: every}
}

// every returns the time between two ticks. While all is calm, it divides the time
// between two file scans: each scan comes with a tick, and calmTick is not exceeded.
func every(calm bool, scans time.Duration) time.Duration {
	if !calm {
		return tick
	}
	scans = max(scans, calmTick)
	return scans / ((scans + calmTick - 1) / calmTick)
}

// set changes the time between two ticks. The next tick comes that long after the
// last one, however often set is called.
func (t *ticker) set(next time.Duration) {
	if next != t.every {
		t.every = next
		t.Reset(time.Until(t.last.Add(next)))
	}
}

// ticked notes a tick.
func (t *ticker) ticked() {
	t.last = time.Now()
	t.Reset(t.every)
}

// every returns the time until the next regular round.
func (i *Inspector) every() time.Duration { return every(i.calm(), i.collector.pace.Every()) }

// calm reports whether nothing is held or sought, and the kernel side can be read.
func (i *Inspector) calm() bool {
	return i.o.Ledger.Len() == 0 && !i.collector.unread && !i.departed.Pending() && len(i.departed.Unsearched()) == 0
}
