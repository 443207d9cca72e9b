package deadline_test

import (
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
)

func TestWheel(t *testing.T) {
	for _, c := range []struct{ now, expires, want uint64 }{
		{1000, 1000, 1001}, // already due
		{1000, 1010, 1011}, // level 0: one jiffy late
		{1000, 1062, 1063},
		{1000, 1063, 1064},                // level 1: rounded up to 8
		{1000, 1102, 1104},                //
		{1000, 1504, 1536},                // level 2: 64
		{1_000_000, 1_030_000, 1_030_144}, // level 3: 512
	} {
		if got := deadline.Wheel(c.now, c.expires); got != c.want {
			t.Errorf("Wheel(%d, %d) = %d, want %d", c.now, c.expires, got, c.want)
		}
	}
}
