package main

import "fmt"

// window is how much got through in a window of time.
type window struct {
	rate  float64
	empty bool // nothing got through
}

// comparison is windows with the agent, each beside one without it that came shortly
// before or after.
type comparison struct{ with, without []window }

// unharmed is the share that must remain with the agent of what a window without it
// measures.
const unharmed = 0.99

// narrow is how wide an interval may be to decide that.
const narrow = 0.02

// ratios returns the ratio of each pair, and how many pairs are left out because one
// of their windows is empty.
func (c comparison) ratios() (ratios []float64, empty int) {
	for n := range min(len(c.with), len(c.without)) {
		if c.with[n].empty || c.without[n].empty {
			empty++
			continue
		}
		ratios = append(ratios, c.with[n].rate/c.without[n].rate)
	}
	return ratios, empty
}

// judge compares the interval of the median ratio with unharmed. A budget is missed if the
// interval of noDoubt lies below it, or if nothing was measured. It is open if only the
// printed interval lies below it, or if that is too wide to exclude a cost of a few per cent.
func (c comparison) judge() (missed, open bool) {
	ratios, empty := c.ratios()
	if len(ratios)+empty == 0 {
		return true, false
	}
	low, high, ok := medianInterval(ratios, doubt)
	_, highest, sure := medianInterval(ratios, noDoubt)
	missed = sure && highest < unharmed
	return missed, !missed && (!ok || high < unharmed || high-low > narrow)
}

// settled reports whether more pairs would change little, and the budget is decided.
func (c comparison) settled() bool {
	ratios, _ := c.ratios()
	low, high, ok := medianInterval(ratios, doubt)
	_, open := c.judge()
	return ok && high-low <= narrow && !open
}

// paired adds a figure that was measured in pairs of windows, with the agent and
// without. The ratio is the median of the pairs' ratios, with its interval.
func (r *report) paired(what string, c comparison, unit string) {
	ratios, empty := c.ratios()
	w := row{
		what: what, measured: number(medianRate(c.with)) + " " + unit, beside: "without: " + number(medianRate(c.without)) + " " + unit,
		ratio: fmt.Sprintf("of %d pairs, %d left out", len(ratios), empty), budget: "≥ " + number(unharmed),
	}
	if low, high, ok := medianInterval(ratios, doubt); ok {
		w.ratio = fmt.Sprintf("%.3f (%.3f to %.3f) %s", median(ratios), low, high, w.ratio)
	}
	w.missed, w.open = c.judge()
	r.add(w)
}

func medianRate(windows []window) float64 {
	var rates []float64
	for _, w := range windows {
		rates = append(rates, w.rate)
	}
	return median(rates)
}
