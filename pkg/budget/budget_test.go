package budget

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestBudget(t *testing.T) {
	b := new(Books).New(0.01, time.Minute, start)
	if !b.Allows(start) {
		t.Fatal("nothing may be spent at the start")
	}
	b.Charge(700*time.Millisecond, start) // 200 ms of debt: 20 s at 1 %
	for after, want := range map[time.Duration]bool{0: false, 19 * time.Second: false, 21 * time.Second: true} {
		fresh := *b
		if got := fresh.Allows(start.Add(after)); got != want {
			t.Errorf("%v later: allows %v, want %v", after, got, want)
		}
	}
	b.fill(start.Add(time.Hour))
	if b.saved != 500*time.Millisecond {
		t.Errorf("an hour saves up %v, want no more than the burst", b.saved)
	}
	small, large := new(Books).New(0.001, time.Minute, start), new(Books).New(0.5, time.Minute, start)
	if small.saved != 50*time.Millisecond || large.saved != 500*time.Millisecond {
		t.Errorf("at the start %v of a thousandth and %v of a half, want 50 ms and 500 ms", small.saved, large.saved)
	}
	b.fill(start) // the clock went back
	if b.saved != 500*time.Millisecond {
		t.Errorf("a step back in time changes what is saved to %v", b.saved)
	}
}

// TestADebtIsPaidSoon: work that seems to have taken an hour keeps nothing
// waiting for longer than the budget owes at most.
func TestADebtIsPaidSoon(t *testing.T) {
	b := new(Books).New(0.001, 5*time.Second, start)
	b.Charge(time.Hour, start)
	for after, want := range map[time.Duration]bool{0: false, 5 * time.Second: false, 5*time.Second + time.Millisecond: true} {
		fresh := *b
		if got := fresh.Allows(start.Add(after)); got != want {
			t.Errorf("%v later: allows %v, want %v", after, got, want)
		}
	}
}

// TestABudgetPaysForItsOwnWorkOnly: what another one pays inside is not paid
// for twice, however deep it is.
func TestABudgetPaysForItsOwnWorkOnly(t *testing.T) {
	var books Books
	now := time.Now()
	outer, middle, inner := books.New(0.5, time.Minute, now), books.New(0.5, time.Minute, now), books.New(0.5, time.Minute, now)
	const work = 20 * time.Millisecond
	outer.Run(func() {
		burn(work)
		middle.Run(func() {
			inner.Run(func() { burn(work) })
			burn(work)
		})
	})
	for name, b := range map[string]*Budget{"outer": outer, "middle": middle, "inner": inner} {
		if b.Spent() < work || b.Spent() >= 2*work {
			t.Errorf("the %s budget paid %v for %v of its own", name, b.Spent(), work)
		}
	}
	inner.Charge(time.Second, now)
	outer.Run(func() { inner.Charge(time.Second, now) })
	if outer.Spent() >= 2*work {
		t.Errorf("the outer budget paid %v, for what the inner one was charged", outer.Spent())
	}
}

// TestABudgetPaysForWorkBesideIt: for what ended while it ran, and not for what
// another budget pays for inside.
func TestABudgetPaysForWorkBesideIt(t *testing.T) {
	var books Books
	now := time.Now()
	outer, inner := books.New(0.5, time.Minute, now), books.New(0.5, time.Minute, now)
	const work = 20 * time.Millisecond
	books.Beside(func() { burn(work) })() // of no budget
	outer.Run(func() {
		wait := books.Beside(func() { burn(work) })
		burn(work)
		wait()
		inner.Run(func() { books.Beside(func() { burn(3 * work) })() })
	})
	if got := outer.Spent(); got < 2*work || got >= 3*work {
		t.Errorf("the outer budget paid %v for %v of its own and as much beside", got, work)
	}
	if got := inner.Spent(); got < 3*work || got >= 4*work {
		t.Errorf("the inner budget paid %v for %v beside", got, 3*work)
	}
}

// burn takes some time of a core.
func burn(d time.Duration) {
	for began := threadTime(); threadTime()-began < d; {
	}
}

// TestWaitingIsNotWork: time without a core is not paid for.
func TestWaitingIsNotWork(t *testing.T) {
	b := new(Books).New(0.5, time.Minute, time.Now())
	if took := b.Run(func() { time.Sleep(50 * time.Millisecond) }); took > 20*time.Millisecond {
		t.Errorf("50 ms of waiting cost %v", took)
	}
}
