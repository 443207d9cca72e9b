package main

import (
	"math"
	"slices"
)

// The probability that a median lies beyond one end of its interval.
const (
	doubt = 0.025 // of the interval that is printed

	// noDoubt is for a missed budget. Three runs have 18 intervals. If the agent keeps every
	// budget, the chance that one of the 18 is called missed is 0.025 at most.
	noDoubt = doubt / 18
)

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// medianInterval returns the interval of confidence of the median of what the values were
// drawn from, whatever its distribution. The median lies beyond one end with a probability
// of doubt at most. It counts, as the sign test does: each value lies above the median or
// below it like a coin. Too few values have no interval.
func medianInterval(values []float64, doubt float64) (low, high float64, ok bool) {
	below := tail(len(values), doubt)
	if below < 0 {
		return 0, 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[below], sorted[len(sorted)-1-below], true
}

// tail returns the largest k with which at most k of n coins show heads with a
// probability of at most doubt; -1: none.
func tail(n int, doubt float64) int {
	k := -1
	term := math.Pow(0.5, float64(n)) // exactly k+1 heads
	for sum := term; sum <= doubt; sum += term {
		k++
		term *= float64(n-k) / float64(k+1)
	}
	return k
}
