package inspector

import "time"

const (
	tick     = time.Second
	calmTick = 2500 * time.Millisecond // half the shortest time between two file scans
)

// ticker ticks for regular rounds. While nothing is held or sought, it ticks less
// often: the agent of an idle node mostly pays for being woken.
type ticker struct {
	*time.Timer
	last  time.Time
	every time.Duration
}

func newTicker(calm bool) *ticker {
	t := &ticker{last: time.Now(), every: every(calm)}
	t.Timer = time.NewTimer(t.every)
	return t
}

func every(calm bool) time.Duration {
	if calm {
		return calmTick
	}
	return tick
}

// set changes the time between two ticks. The next tick comes that long after the
// last one, however often set is called.
func (t *ticker) set(calm bool) {
	if next := every(calm); next != t.every {
		t.every = next
		t.Reset(time.Until(t.last.Add(next)))
	}
}

// ticked notes a tick.
func (t *ticker) ticked() {
	t.last = time.Now()
	t.Reset(t.every)
}

// calm reports whether nothing is held or sought, and the kernel side can be read.
func (i *Inspector) calm() bool {
	return i.o.Ledger.Len() == 0 && !i.collector.unread && !i.departed.Pending() && len(i.departed.Unsearched()) == 0
}
