package main

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCostsComeFromTheSameSlices(t *testing.T) {
	ran := func(count uint64, each time.Duration) runs { return runs{count, time.Duration(count) * each} }
	for name, c := range map[string]struct {
		course course
		want   [][]float64
	}{
		"every slice":                 {course{{"a": ran(50, 100), "b": ran(50, 200)}, {"a": ran(60, 110), "b": ran(70, 210)}}, [][]float64{{100, 110}, {200, 210}}},
		"one ran too rarely in one":   {course{{"a": ran(50, 100), "b": ran(50, 200)}, {"a": ran(60, 110), "b": ran(49, 210)}}, [][]float64{{100}, {200}}},
		"the other one, too":          {course{{"a": ran(49, 100), "b": ran(50, 200)}, {"a": ran(60, 110), "b": ran(49, 210)}}, [][]float64{{11500. / 109}, {20290. / 99}}},
		"a single slice, and a short": {course{{"a": ran(3, 100), "b": ran(2, 200)}}, [][]float64{{100}, {200}}},
		"one of them never ran":       {course{{"a": ran(50, 100)}, {"a": ran(50, 200)}}, [][]float64{{150}, {0}}},
		"no slice":                    {nil, [][]float64{{0}, {0}}},
	} {
		if diff := cmp.Diff(c.want, c.course.each("a", "b")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWhatAllProgramsCost: a moment in which the host took the processor away is no
// cost of theirs.
func TestWhatAllProgramsCost(t *testing.T) {
	c := course{
		{"a": {count: 100, time: 10_000}, "b": {count: 1000, time: 5000}},
		{"a": {count: 100, time: 5_000_000}, "b": {count: 1000, time: 5000}},
		{"a": {count: 100, time: 11_000}, "c": {}},
	}
	if got, want := c.cost(0), 43*time.Microsecond; got != want { // 300 runs of 110 ns, 2000 of 5 ns
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := c.cost(4), 33800*time.Nanosecond; got != want { // 300 runs of 106 ns, 2000 of 1 ns
		t.Errorf("without the 4 ns that the kernel measures too much: %v, want %v", got, want)
	}
	if got, want := c.cost(-4), 52200*time.Nanosecond; got != want {
		t.Errorf("with the 4 ns that the kernel does not measure: %v, want %v", got, want)
	}
	if got := (course{}).cost(4); got != 0 {
		t.Errorf("no program costs %v", got)
	}
}

// TestAnOutlierSliceMovesNothing: the host takes the processor away for a time, in
// which a program seems to run on, in fewer than half of the slices.
func TestAnOutlierSliceMovesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		n := 3 + random.IntN(60)
		var c course
		for range n {
			speed := time.Duration(1 + random.IntN(2)) // a slow slice is slow for all
			c = append(c, map[string]runs{"ours": {1000, 1000 * 260 * speed}, "empty": {1000, 1000 * 130 * speed}})
		}
		for _, slice := range random.Perm(n)[:(n-1)/2] {
			name := []string{"ours", "empty"}[random.IntN(2)]
			c[slice][name] = c[slice][name].plus(runs{time: time.Duration(random.IntN(1e8))})
		}
		costs := c.each("ours", "empty")
		if _, ratio := besideInSlices("", costs[0], costs[1], "", ""); ratio != 2 {
			t.Fatalf("the ratio of %d slices is %g, want 2: %v", n, ratio, c)
		}
	}
}

func TestAProgramIsFollowedInSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		read := func() (map[string]runs, error) {
			ran := time.Since(began)
			return map[string]runs{"a": {uint64(ran.Milliseconds()), ran / 10}}, nil
		}
		c, err := follow(func() error { time.Sleep(2*sliceTime + 20*time.Millisecond); return nil }, read)
		if err != nil {
			t.Fatal(err)
		}
		want := course{{"a": {50, 5e6}}, {"a": {50, 5e6}}, {"a": {20, 2e6}}}
		if diff := cmp.Diff(want, c, cmp.AllowUnexported(runs{})); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if sum := c.total("a"); sum.count != 120 {
			t.Errorf("%d runs in all, want 120", sum.count)
		}
	})
}

func TestFollowingEndsWithAnError(t *testing.T) {
	failed := errors.New("failed")
	for name, fails := range map[string]int{"at the start": 0, "in a slice": 1, "at the end": 2, "in what is measured": 9} {
		synctest.Test(t, func(t *testing.T) {
			reads := 0
			c, err := follow(func() error {
				time.Sleep(sliceTime + time.Millisecond)
				if fails > 2 {
					return failed
				}
				return nil
			}, func() (map[string]runs, error) {
				reads++
				if reads == fails+1 {
					return nil, failed
				}
				return nil, nil
			})
			if !errors.Is(err, failed) || c != nil {
				t.Errorf("%s: %v, %v", name, c, err)
			}
		})
	}
}
