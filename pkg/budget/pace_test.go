package budget

import (
	"testing"
	"time"
)

func TestPaceHoldsTheShare(t *testing.T) {
	var p Pace
	for _, c := range []struct {
		took  time.Duration
		share float64
		every time.Duration
		tell  bool
	}{
		{2 * time.Millisecond, 0.01, 5 * time.Second, false},
		{8 * time.Millisecond, 0.01, 8 * time.Second, false},    // a tenth of the share
		{25 * time.Millisecond, 0.01, 25 * time.Second, false},  // as many as a storm of 15,000 has
		{100 * time.Millisecond, 0.01, 25 * time.Second, false}, // more than a tenth
		{280 * time.Millisecond, 0.01, 28 * time.Second, false}, // all of it
		{400 * time.Millisecond, 0.01, 40 * time.Second, true},
		{400 * time.Millisecond, 0.01, 40 * time.Second, false}, // reported once
		{400 * time.Millisecond, 0.1, 25 * time.Second, false},
		{4 * time.Second, 0.1, 40 * time.Second, true}, // and again after a good pass
	} {
		every, tell := p.Took(c.took, c.share)
		if every != c.every || tell != c.tell {
			t.Errorf("a pass of %v at a share of %v: every %v, tell %v; want %v, %v", c.took, c.share, every, tell, c.every, c.tell)
		}
		if used := float64(c.took) / float64(every); used > c.share {
			t.Errorf("a pass of %v every %v takes %v of a core, more than %v", c.took, every, used, c.share)
		}
	}
}
