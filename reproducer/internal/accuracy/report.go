package accuracy

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Write writes the report as Markdown that reads as well as text.
func (r Result) Write(w io.Writer) error {
	var b strings.Builder
	r.summary(&b)
	r.table(&b)
	r.matrix(&b)
	r.timing(&b)
	r.counted(&b)
	r.kindTable(&b)
	r.misses(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Result) summary(b *strings.Builder) {
	roles, families := r.roles()
	var seeds []string
	for _, s := range slices.Compact(slices.Clone(r.Seeds)) {
		seeds = append(seeds, fmt.Sprint(s))
	}
	fmt.Fprintf(b, "Seeds: %s. %d flows: %d clients, %d servers; %d over IPv4, %d over IPv6, %d over IPv4-mapped sockets.\n",
		strings.Join(seeds, ", "), len(r.Scores), roles["client"], roles["server"], families["4"], families["6"], families["mapped"])
	if r.OK() {
		fmt.Fprintf(b, "Nothing was missed, nothing was wrong.\n")
		return
	}
	if unseen, ends := r.ends(); r.blind() {
		fmt.Fprintf(b, "Of %d ends the agent says that it did not see %d: more than one in fifty.\n", ends, unseen)
	}
	fmt.Fprintf(b, "%d flows were judged wrong, and %d reports were about connections that nobody labelled.\n", len(r.Failures()), len(r.Strangers))
}

func (r Result) table(b *strings.Builder) {
	var t table
	t.add("true", "flows", "recall", "precision", "wrong first", "missed or wrong", "at most, at 95 %")
	for _, row := range r.Rows() {
		wrong := row.WrongMany[Missed] + row.WrongMany[Wrong] + row.WrongMany[FalseAlarm]
		t.add(row.Expected, fmt.Sprint(row.Flows), percent(row.Right, row.Flows), percent(row.Said[row.Expected], row.Claimed), fmt.Sprint(row.WrongMany[WrongFirst]), fmt.Sprint(wrong), atMost(wrong, row.Flows))
	}
	b.WriteString("\n### Verdicts\n\n")
	t.write(b)
}

// atMost is the part that may be missed or wrong where so many of the flows were: the upper end of
// a one-sided interval of 95 %, by the distribution of rare events (Wilson and Hilferty). Of n
// flows without a miss it is 3/n.
func atMost(wrong, flows int) string {
	if flows == 0 {
		return "-"
	}
	k := float64(wrong + 1)
	root := 1 - 1/(9*k) + 1.645/(3*math.Sqrt(k))
	return fmt.Sprintf("%.2f %%", 100*min(1, k*root*root*root/float64(flows)))
}

// matrix lists what was reported, for each verdict that was true.
func (r Result) matrix(b *strings.Builder) {
	var t table
	t.add("true", "said", "flows")
	for _, row := range r.Rows() {
		for _, said := range slices.Sorted(maps.Keys(row.Said)) {
			t.add(row.Expected, said, fmt.Sprint(row.Said[said]))
		}
	}
	b.WriteString("\n### Confusion\n\nEvery pair that occurred; all others are 0. Unknown is right where the label says that its evidence was withheld.\n\n")
	t.write(b)
}

func (r Result) timing(b *strings.Builder) {
	var t table
	t.add("true", "seconds to report p50", "p99", "ends compared", "gives-up-at off at first p50", "at most", "at last p50", "at most", "of shaken clocks", "unsent compared", "lost compared")
	for _, row := range r.Rows() {
		if row.Expected == nothing {
			continue
		}
		t.add(row.Expected, seconds(quantile(row.Delays, 0.5)), seconds(quantile(row.Delays, 0.99)), fmt.Sprint(len(row.FirstOff)),
			millis(quantile(row.FirstOff, 0.5)), millis(quantile(row.FirstOff, 1)), millis(quantile(row.LastOff, 0.5)), millis(quantile(row.LastOff, 1)), millis(quantile(row.ShakenOff, 1)),
			fmt.Sprint(row.Unsent), fmt.Sprint(row.Lost))
	}
	b.WriteString("\n### Times and bytes\n\nFrom the first write that had no answer, or from the fault, to the report; by the application's own clock.\n\n")
	t.write(b)
}

// counted lists what does not fail a run, so that no total leaves anything out.
func (r Result) counted(b *strings.Builder) {
	var t table
	t.add("true", "what is counted and fails nothing", "flows")
	for _, row := range r.Rows() {
		for _, what := range slices.Sorted(maps.Keys(row.Counted)) {
			t.add(row.Expected, what, fmt.Sprint(row.Counted[what]))
		}
	}
	if len(t.rows) == 1 {
		return
	}
	b.WriteString("\n### What was counted\n\n")
	t.write(b)
}

func (r Result) kindTable(b *strings.Builder) {
	var t table
	t.add("what happened", "flows")
	kinds := r.kinds()
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t.add(k, fmt.Sprint(kinds[k]))
	}
	b.WriteString("\n### What happened to them\n\n")
	t.write(b)
}

func (r Result) misses(b *strings.Builder) {
	failures := r.Failures()
	if len(failures)+len(r.Strangers) == 0 {
		return
	}
	b.WriteString("\n### What went wrong\n\n")
	for _, s := range failures {
		for _, f := range s.gated() {
			fmt.Fprintf(b, "- %s, true: %s. %s: %s\n", s.Label.Flow, s.Expected, f, s.Faults[f])
		}
		fmt.Fprintf(b, "  `make accuracy SEED=%d ONLY=%s`\n", s.Seed, s.Label.Flow)
	}
	for _, s := range r.Strangers {
		fmt.Fprintf(b, "- %s\n", s)
	}
}

// brief prints each kind of failure once: a person who watches a run need not
// wait for its end.
func (r Result) brief(w io.Writer) {
	reported := map[string]bool{}
	for _, s := range r.Failures() {
		for _, f := range s.gated() {
			if sort := s.Label.Kind + string(f); !reported[sort] {
				reported[sort] = true
				fmt.Fprintf(w, "  %s: %s: %s\n", s.Label.Flow, f, s.Faults[f])
			}
		}
	}
	for _, s := range append(slices.Clone(r.Strangers), r.Admitted...) {
		fmt.Fprintf(w, "  %s\n", s)
	}
}

// table is a Markdown table whose columns are aligned.
type table struct{ rows [][]string }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(b *strings.Builder) {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range t.rows {
		line(b, row, widths, " ")
		if n == 0 {
			line(b, make([]string, len(row)), widths, "-")
		}
	}
}

func line(b *strings.Builder, cells []string, widths []int, fill string) {
	b.WriteString("|")
	for i, cell := range cells {
		fmt.Fprintf(b, " %s%s |", cell, strings.Repeat(fill, widths[i]-len([]rune(cell))))
	}
	b.WriteString("\n")
}

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4g %%", 100*float64(n)/float64(of))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
