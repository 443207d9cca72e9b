package budget

import "time"

const (
	savesUp = 50 * time.Second // a budget saves up at most what its share gives in this time
	burst   = 500 * time.Millisecond
)

// Books keep what the budgets of one loop pay, so that they nest. The zero
// value is ready.
type Books struct {
	paid   time.Duration
	beside time.Duration // CPU time of work beside the loop, in all
}

// Budget is a share of a core that may be saved up, for 50 s, and spent in a
// burst of half a second at most.
type Budget struct {
	books   *Books
	share   float64       // of a core
	most    time.Duration // that can be saved up
	deepest time.Duration // that it can owe
	saved   time.Duration
	spent   time.Duration // in all
	filled  time.Time
}

// New returns a budget of a share of a core, from 0 to 1. Its debt is at most
// what the share gives in the time owes. After that time the budget allows work
// again, however long the last work took: a guest's clock also counts time in
// which the host lent the core to another machine.
func (b *Books) New(share float64, owes time.Duration, now time.Time) *Budget {
	most := min(burst, worth(savesUp, share))
	return &Budget{books: b, share: share, most: most, deepest: worth(owes, share), saved: most, filled: now}
}

func worth(t time.Duration, share float64) time.Duration {
	return time.Duration(float64(t) * share)
}

// Allows reports whether work may run now.
func (b *Budget) Allows(now time.Time) bool {
	b.fill(now)
	return b.saved > 0
}

// Run does work and pays the CPU time that it took, without what other budgets
// paid inside. It returns what it paid.
func (b *Budget) Run(work func()) time.Duration {
	before, beside := b.books.paid, b.books.beside
	took := cpuTime(work) + b.books.beside - beside
	own := max(0, took-(b.books.paid-before))
	b.Charge(own, time.Now())
	return own
}

// Beside begins work in a goroutine beside the caller. The function that it returns
// waits for the end of the work. The budget that runs the caller then, if one does,
// pays for it.
func (b *Books) Beside(work func()) (wait func()) {
	took := make(chan time.Duration, 1)
	go func() { took <- cpuTime(work) }()
	return func() { b.beside += <-took }
}

// Charge pays for work that was measured in another way. It may go into debt, which
// later time repays.
func (b *Budget) Charge(took time.Duration, now time.Time) {
	b.fill(now)
	b.saved = max(b.saved-took, -b.deepest)
	b.spent += took
	b.books.paid += took
}

// Share returns the share of a core.
func (b *Budget) Share() float64 { return b.share }

// Spent returns what was paid in total.
func (b *Budget) Spent() time.Duration { return b.spent }

func (b *Budget) fill(now time.Time) {
	if now.After(b.filled) {
		b.saved = min(b.most, b.saved+worth(now.Sub(b.filled), b.share))
	}
	b.filled = now
}
