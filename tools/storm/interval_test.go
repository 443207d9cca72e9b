package main

import (
	"math/rand/v2"
	"testing"
)

func TestTheIntervalIsThatOfTheSignTest(t *testing.T) {
	for n, want := range map[int]int{0: -1, 5: -1, 6: 0, 8: 0, 9: 1, 12: 2, 20: 5, 100: 39} { // as in printed tables
		if got := tail(n, 0.025); got != want {
			t.Errorf("of %d values %d lie below the interval, want %d", n, got, want)
		}
	}
	low, high, ok := medianInterval([]float64{9, 1, 8, 2, 7, 3, 6, 4, 5}, 0.025)
	if low != 2 || high != 8 || !ok {
		t.Errorf("of 1 to 9: %g to %g, %t, want 2 to 8", low, high, ok)
	}
	if low, high, ok := medianInterval([]float64{1, 2, 3, 4, 5}, 0.025); ok {
		t.Errorf("five values have an interval: %g to %g", low, high)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 1: {1}, 1.5: {2, 1}, 3: {900, 3, 1}, 2.5: {3, 900, 1, 2}} {
		if got := median(values); got != want {
			t.Errorf("the median of %v is %g, want %g", values, got, want)
		}
	}
}

// TestTheIntervalHoldsTheMedian draws from a distribution with a heavy tail.
func TestTheIntervalHoldsTheMedian(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	const middle, draws = 0.5, 4000
	for _, n := range []int{6, 15, 60, 181} {
		outside := 0
		for range draws {
			values := make([]float64, n)
			for i := range values {
				x := random.Float64()
				values[i] = x * (1 + 100*max(0, x-middle))
			}
			if low, high, _ := medianInterval(values, doubt); low > middle || high < middle {
				outside++
			}
		}
		if share := float64(outside) / draws; share > 0.06 {
			t.Errorf("the interval of %d values lies beside the median in a share of %g", n, share)
		}
	}
}
