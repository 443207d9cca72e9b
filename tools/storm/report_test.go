package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMissedBudgetsAreNamed(t *testing.T) {
	r := report{live: io.Discard}
	r.tell("an indication", "5 s", "")
	r.ratio("dear, and only reported", 2, 3, "ms", "comparator")
	r.atMost("held", 50, 50, "ms")
	r.atMost("slow", 50.1, 50, "ms")
	r.share("cheap", 1, 3, third, "ms", "comparator")
	r.share("dear", 1.1, 3, third, "ms", "comparator")
	r.share("beside nothing", 0, 0, third, "ms", "comparator") // no number is no proof
	r.exactly("all", 7, 7)
	r.exactly("some", 6, 7)
	r.atLeast("enough", 1, 1)
	r.atLeast("none", 0, 1)
	r.paired("as much", pairs(200, 1, 1, 0.99, 0.99, 0.99, 1), "a second")
	r.paired("less", pairs(200, 0.98, 0.98, 0.98, 0.98, 0.989, 0.98, 0.98, 0.98, 0.98, 0.98), "a second")
	r.paired("nothing", comparison{}, "a second")
	r.paired("noisy", pairs(200, 0.5, 0.6, 0.7, 1.1, 1.1, 1.1), "a second")
	r.delays("late", []time.Duration{time.Millisecond, 51 * time.Millisecond}, 100)
	r.delays("never", nil, 100)
	want := []string{
		"slow: 50.1 ms, want ≤ 50 ms",
		"dear: 1.1 ms, want ≤ 1/3 of comparator: 3 ms",
		"beside nothing: 0 ms, want ≤ 1/3 of comparator: 0 ms",
		"some: 6, want = 7",
		"none: 0, want ≥ 1",
		"less: 196 a second, want ≥ 0.99 of without: 200 a second",
		"nothing: 0 a second, want ≥ 0.99 of without: 0 a second",
		"late, p50: 51 ms, want ≤ 0.2 of ss -tino of the same sockets: 100 ms",
		"late, p99: 51 ms, want ≤ 0.5 of ss -tino of the same sockets: 100 ms",
		"never, p50: +Inf ms, want ≤ 0.2 of ss -tino of the same sockets: 100 ms",
		"never, p99: +Inf ms, want ≤ 0.5 of ss -tino of the same sockets: 100 ms",
	}
	if diff := cmp.Diff(want, r.missed()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"noisy: 180 a second, want ≥ 0.99 of without: 200 a second"}, r.undecided()); diff != "" {
		t.Errorf("not decided (-want +got):\n%s", diff)
	}
	var table, page strings.Builder
	if err := r.table(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.markdown(&page); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(table.String(), "MISSED"); n != 11 {
		t.Errorf("%d rows are marked, want 11:\n%s", n, &table)
	}
	if want := "| ≥ 0.99 **not decided** |\n"; strings.Count(page.String(), want) != 1 || strings.Count(table.String(), "NOT DECIDED") != 1 {
		t.Errorf("one row should be marked as not decided:\n%s\n%s", &table, &page)
	}
	if want := "| dear, and only reported | 2 ms | comparator: 3 ms | 0.67 |  |\n"; !strings.Contains(page.String(), want) {
		t.Errorf("there is no line %q:\n%s", want, &page)
	}
	if want := "| as much | 199 a second | without: 200 a second | 0.995 (0.990 to 1.000) of 6 pairs, 0 left out | ≥ 0.99 |\n"; !strings.Contains(page.String(), want) {
		t.Errorf("there is no line %q:\n%s", want, &page)
	}
	if n := strings.Count(page.String(), "**missed**"); n != 11 || strings.Count(page.String(), "\n") != 21 {
		t.Errorf("%d rows of the page are marked, want 11:\n%s", n, &page)
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for want, x := range map[string]float64{"0": 0, "15000": 15000, "1234": 1234.4, "12.3": 12.34, "1.23": 1.234, "0.0123": 0.01234} {
		if got := number(x); got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	var values []time.Duration
	for n := 100; n > 0; n-- {
		values = append(values, time.Duration(n))
	}
	if p50, p99 := quantile(values, 0.5), quantile(values, 0.99); p50 != 51 || p99 != 100 {
		t.Errorf("p50 %d, p99 %d", p50, p99)
	}
	if got := quantile(values[:1], 0.99); got != 100 {
		t.Errorf("of one: %d", got)
	}
}

func TestMetricsAreSummedUp(t *testing.T) {
	m := parseMetrics("# HELP a b\n# TYPE a counter\na{kind=\"x\",of=\"1\"} 2\na{kind=\"y\"} 3\nab 7\nb 1.5e+03\n")
	for _, c := range []struct {
		family string
		labels []string
		want   float64
	}{
		{"a", nil, 5}, {"a", []string{`kind="x"`}, 2}, {"a", []string{`kind="x"`, `of="2"`}, 0}, {"ab", nil, 7}, {"b", nil, 1500}, {"none", nil, 0},
	} {
		if got := m.sum(c.family, c.labels...); got != c.want {
			t.Errorf("%s%v: %v, want %v", c.family, c.labels, got, c.want)
		}
	}
}
