package inspector

import "time"

// budget spreads passes over all sockets so that they take no more than a
// share of a core over time, and still lets a finding have its owner at once:
// what was saved up may be spent in a burst.
type budget struct {
	share   float64       // of a core
	most    time.Duration // that can be saved up
	deepest time.Duration // that it can owe; zero: whatever was spent
	saved   time.Duration
	spent   time.Duration // in all
	filled  time.Time
}

const (
	savesUp = 50 * time.Second // worth of its share is the most that a budget saves up
	burst   = 500 * time.Millisecond
)

func newBudget(share float64, now time.Time) *budget {
	most := min(burst, time.Duration(float64(savesUp)*share))
	return &budget{share: share, most: most, saved: most, filled: now}
}

// owing bounds the debt to what the share gives in that time. It is for work
// that is small by itself: a pass that seems to take long then lost its core to
// another machine, which a guest's clock may not tell from work.
func (b *budget) owing(worth time.Duration) *budget {
	b.deepest = time.Duration(float64(worth) * b.share)
	return b
}

// allows reports whether a pass may run now.
func (b *budget) allows(now time.Time) bool {
	b.fill(now)
	return b.saved > 0
}

// spend takes what a pass took; it may go into debt, which later time repays.
func (b *budget) spend(took time.Duration, now time.Time) {
	b.fill(now)
	b.saved -= took
	b.spent += took
	if b.deepest > 0 {
		b.saved = max(b.saved, -b.deepest)
	}
}

func (b *budget) fill(now time.Time) {
	if now.After(b.filled) {
		b.saved = min(b.most, b.saved+time.Duration(float64(now.Sub(b.filled))*b.share))
	}
	b.filled = now
}
