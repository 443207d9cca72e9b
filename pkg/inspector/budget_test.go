package inspector

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	b := newBudget(0.01, start)
	if !b.allows(start) {
		t.Fatal("nothing may be spent at the start")
	}
	b.spend(700*time.Millisecond, start) // 200 ms of debt: 20 s at 1 %
	for after, want := range map[time.Duration]bool{0: false, 19 * time.Second: false, 21 * time.Second: true} {
		fresh := *b
		if got := fresh.allows(start.Add(after)); got != want {
			t.Errorf("%v later: allows %v, want %v", after, got, want)
		}
	}
	b.fill(start.Add(time.Hour))
	if b.saved != 500*time.Millisecond {
		t.Errorf("an hour saves up %v, want no more than the burst", b.saved)
	}
	small, large := newBudget(0.001, start), newBudget(0.5, start)
	if small.saved != 50*time.Millisecond || large.saved != 500*time.Millisecond {
		t.Errorf("at the start %v of a thousandth and %v of a half, want 50 ms and 500 ms", small.saved, large.saved)
	}
	b.fill(start) // the clock went back
	if b.saved != 500*time.Millisecond {
		t.Errorf("a step back in time changes what is saved to %v", b.saved)
	}
}

// TestBudgetOwes: small work that seems to have taken long is paid for soon.
func TestBudgetOwes(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	b := newBudget(0.001, start).owing(5 * time.Second)
	b.spend(time.Hour, start)
	for after, want := range map[time.Duration]bool{0: false, 5 * time.Second: false, 5*time.Second + time.Millisecond: true} {
		fresh := *b
		if got := fresh.allows(start.Add(after)); got != want {
			t.Errorf("%v later: allows %v, want %v", after, got, want)
		}
	}
}
