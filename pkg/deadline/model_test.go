package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
)

func TestModelIsTheKernels(t *testing.T) {
	for _, c := range []struct {
		n    int
		base time.Duration
		max  time.Duration
		want time.Duration
	}{
		{15, 200 * time.Millisecond, 120 * time.Second, 924600 * time.Millisecond}, // ip-sysctl.rst
		{3, 200 * time.Millisecond, 120 * time.Second, 3 * time.Second},
		{1, 200 * time.Millisecond, 120 * time.Second, 600 * time.Millisecond},
		{0, 200 * time.Millisecond, 120 * time.Second, 200 * time.Millisecond},
		{6, 200 * time.Millisecond, time.Second, 5400 * time.Millisecond},
		{6, time.Second, 120 * time.Second, 127 * time.Second}, // connect, tcp_syn_retries = 6
	} {
		if got := deadline.Model(c.n, c.base, c.max); got != c.want {
			t.Errorf("Model(%d, %v, %v) = %v, want %v", c.n, c.base, c.max, got, c.want)
		}
	}
}
