package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// pairs compares windows with the agent, which keep these shares of a rate.
func pairs(rate float64, shares ...float64) (c comparison) {
	for _, s := range shares {
		c.with = append(c.with, window{rate: rate * s})
		c.without = append(c.without, window{rate: rate})
	}
	return c
}

func TestJudgementOfPairs(t *testing.T) {
	empty := pairs(100, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9)
	for n := range empty.with {
		empty.with[n].empty = n%2 == 0
		empty.without[n].empty = n%2 != 0
	}
	for name, c := range map[string]struct {
		pairs        comparison
		missed, open bool
		settled      bool
	}{
		"nothing was measured":             {pairs: comparison{}, missed: true},
		"all pairs are half empty":         {pairs: empty, open: true},
		"too few to say anything":          {pairs: pairs(100, 0.9, 0.9, 0.9, 0.9, 0.9), open: true},
		"as much":                          {pairs: pairs(100, 1, 1, 1, 1, 1, 1), settled: true},
		"one in a hundred, exactly":        {pairs: pairs(100, 0.99, 0.99, 0.99, 0.99, 0.99, 0.99), settled: true},
		"less, for sure":                   {pairs: pairs(100, slices.Repeat([]float64{0.98, 0.985}, 5)...), missed: true, settled: true},
		"less, as good as sure":            {pairs: pairs(100, 0.98, 0.985, 0.985, 0.985, 0.985, 0.985), open: true},
		"less, for sure, nobody knows how": {pairs: pairs(100, slices.Repeat([]float64{0.3, 0.4, 0.5, 0.6, 0.98}, 2)...), missed: true},
		"perhaps less, at most a little":   {pairs: pairs(100, 0.975, 0.975, 0.975, 0.975, 0.975, 0.991), settled: true},
		"a median below, in doubt":         {pairs: pairs(100, slices.Repeat([]float64{0.9, 1, 0.9}, 5)...), open: true},
		"perhaps much less":                {pairs: pairs(100, 0.9, 0.9, 0.9, 0.9, 0.9, 1), open: true},
		"more, nobody knows how much":      {pairs: pairs(100, 0.98, 1.1, 1.2, 1.3, 1.4, 1.5), open: true},
	} {
		missed, open := c.pairs.judge()
		if settled := c.pairs.settled(); missed != c.missed || open != c.open || settled != c.settled {
			t.Errorf("%s: missed %t, open %t, settled %t; want %t, %t, %t", name, missed, open, settled, c.missed, c.open, c.settled)
		}
	}
}

func TestAnEmptyWindowCostsItsPair(t *testing.T) {
	c := pairs(100, 0.2, 1, 5, 1.1)
	c.with[0].empty, c.without[2].empty = true, true
	ratios, empty := c.ratios()
	if len(ratios) != 2 || ratios[0] != 1 || empty != 2 {
		t.Errorf("ratios %v, %d left out; want those of the second and the fourth pair", ratios, empty)
	}
}

// TestThreePerCentAreSeen plays many benches on a machine whose speed changes by the
// moment: an agent that costs 3 % is caught, or too noisy to decide; it nearly never
// passes. One that costs nothing is nearly never caught.
func TestThreePerCentAreSeen(t *testing.T) {
	const benches = 500
	random := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		kept, noise             float64
		leastMissed, mostMissed int // of the benches
		mostPassed              int
	}{
		{kept: 1, noise: 0.03, mostMissed: 0, mostPassed: benches},
		{kept: 1, noise: 0.2, mostMissed: benches / 50, mostPassed: benches},
		{kept: 0.97, noise: 0.03, leastMissed: benches * 99 / 100, mostMissed: benches, mostPassed: benches / 100},
		{kept: 0.97, noise: 0.2, mostMissed: benches, mostPassed: benches / 50},
		{kept: 0.9, noise: 0.2, leastMissed: benches * 99 / 100, mostMissed: benches, mostPassed: 0},
	} {
		missed, passed := 0, 0
		for range benches {
			switch m, open := play(random, c.kept, c.noise).judge(); {
			case m:
				missed++
			case !open:
				passed++
			}
		}
		if missed < c.leastMissed || missed > c.mostMissed || passed > c.mostPassed {
			t.Errorf("an agent that leaves %g, noise %g: %d missed, %d passed of %d", c.kept, c.noise, missed, passed, benches)
		}
	}
}

// play adds pairs until they are settled, as the bench does. Every tenth window is
// far slower than the rest.
func play(random *rand.Rand, kept, noise float64) (c comparison) {
	rate := func() float64 {
		if random.IntN(10) == 0 {
			return 100 * random.Float64()
		}
		return 100 * (1 + noise*(random.Float64()-0.5))
	}
	for n := 0; n < 24 || n < 180 && !c.settled(); n += windowsInRound {
		for range windowsInRound {
			c.with = append(c.with, window{rate: kept * rate()})
			c.without = append(c.without, window{rate: rate()})
		}
	}
	return c
}
