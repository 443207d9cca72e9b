package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// row is a line of the table. Budget is empty where a figure is an indication.
type row struct {
	what, measured, beside, ratio, budget string
	missed                                bool
	open                                  bool // the machine was too noisy to decide
}

func (w row) verdict() string {
	switch {
	case w.missed:
		return "MISSED"
	case w.open:
		return "NOT DECIDED"
	}
	return ""
}

// report collects rows and says which budgets were missed.
type report struct {
	rows []row
	live io.Writer // where each row is printed as it comes
}

func (r *report) add(w row) {
	r.rows = append(r.rows, w)
	_, _ = fmt.Fprintf(r.live, "  %s: %s%s%s%s%s\n", w.what, w.measured, after("  beside ", w.beside), after("  ratio ", w.ratio), after("  budget ", w.budget), after("  ", w.verdict()))
}

func after(word, s string) string {
	if s == "" {
		return ""
	}
	return word + s
}

// tell adds a figure without a budget; beside may be empty.
func (r *report) tell(what, measured, beside string) {
	r.add(row{what: what, measured: measured, beside: beside})
}

// atMost adds a figure that has a limit in its own unit.
func (r *report) atMost(what string, value, limit float64, unit string) {
	r.add(row{
		what: what, measured: number(value) + " " + unit,
		budget: "≤ " + number(limit) + " " + unit, missed: !(value <= limit),
	})
}

// ratio adds a figure beside another of its kind, without a budget.
func (r *report) ratio(what string, ours, theirs float64, unit, whose string) {
	r.add(beside(what, ours, theirs, unit, whose))
}

// share adds a figure that may be at most a share of what stands beside it.
func (r *report) share(what string, ours, theirs, limit float64, unit, whose string) {
	w := beside(what, ours, theirs, unit, whose)
	w.budget, w.missed = "≤ "+fraction(limit), !(ours/theirs <= limit)
	r.add(w)
}

// sliceRatio adds a figure beside another, both measured in the same slices of time,
// without a budget.
func (r *report) sliceRatio(what string, ours, theirs []float64, unit, whose string) {
	w, _ := besideInSlices(what, ours, theirs, unit, whose)
	r.add(w)
}

// sliceShare adds a figure that may be at most a share of what stands beside it, both
// measured in the same slices of time.
func (r *report) sliceShare(what string, ours, theirs []float64, limit float64, unit, whose string) {
	w, ratio := besideInSlices(what, ours, theirs, unit, whose)
	w.budget, w.missed = "≤ "+fraction(limit), !(ratio <= limit)
	r.add(w)
}

func beside(what string, ours, theirs float64, unit, whose string) row {
	return row{
		what: what, measured: number(ours) + " " + unit, beside: whose + ": " + number(theirs) + " " + unit,
		ratio: fmt.Sprintf("%.2g", ours/theirs),
	}
}

// besideInSlices takes medians. That of the ratios is not the ratio of the medians: a
// slow slice is slow for both.
func besideInSlices(what string, ours, theirs []float64, unit, whose string) (row, float64) {
	var ratios []float64
	for n := range ours {
		ratios = append(ratios, ours[n]/theirs[n])
	}
	w := beside(what, median(ours), median(theirs), unit, whose)
	ratio := median(ratios)
	w.ratio = fmt.Sprintf("%.2g", ratio)
	return w, ratio
}

// delays adds how late something came, which must have come at least once, beside
// the time in which ss lists the storm: a machine that is slow is so for both.
func (r *report) delays(what string, late []time.Duration, listing float64) {
	for _, q := range []struct {
		name         string
		share, limit float64
	}{{"p50", 0.5, 0.2}, {"p99", 0.99, 0.5}} {
		value := math.Inf(1)
		if len(late) > 0 {
			value = ms(quantile(late, q.share))
		}
		r.share(what+", "+q.name, value, listing, q.limit, "ms", ssListing)
	}
}

// exactly adds a count that has to be one number.
func (r *report) exactly(what string, got, want int) {
	r.add(row{what: what, measured: fmt.Sprint(got), budget: fmt.Sprintf("= %d", want), missed: got != want})
}

// atLeast adds a count that has to be so large.
func (r *report) atLeast(what string, got, want int) {
	r.add(row{what: what, measured: fmt.Sprint(got), budget: fmt.Sprintf("≥ %d", want), missed: got < want})
}

// missed names the budgets that were missed.
func (r *report) missed() []string { return r.named(func(w row) bool { return w.missed }) }

// undecided names the budgets that this machine was too noisy for.
func (r *report) undecided() []string { return r.named(func(w row) bool { return w.open }) }

func (r *report) named(which func(row) bool) []string {
	var names []string
	for _, w := range r.rows {
		if which(w) {
			names = append(names, fmt.Sprintf("%s: %s, want %s%s", w.what, w.measured, w.budget, after(" of ", w.beside)))
		}
	}
	return names
}

// table writes the table for a terminal.
func (r *report) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "WHAT\tMEASURED\tBESIDE\tRATIO\tBUDGET\t")
	for _, w := range r.rows {
		_, _ = fmt.Fprintln(t, strings.Join([]string{w.what, w.measured, w.beside, w.ratio, w.budget, w.verdict()}, "\t"))
	}
	return t.Flush()
}

// markdown writes the table for a page.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| what | measured | beside | ratio | budget |\n|---|---|---|---|---|\n")
	for _, w := range r.rows {
		budget := w.budget
		if v := w.verdict(); v != "" {
			budget += " **" + strings.ToLower(v) + "**"
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join([]string{w.what, w.measured, w.beside, w.ratio, budget}, " | "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// number writes three significant digits.
func number(x float64) string {
	switch {
	case x == float64(int64(x)) || x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

func fraction(x float64) string {
	if x == third {
		return "1/3"
	}
	return number(x)
}

const third = 1.0 / 3

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
