package flow_test

import (
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestBeginsWith(t *testing.T) {
	for _, id := range []flow.ID{0, 1, 0x1f, 0x1f3a, 0x100000000, 1<<64 - 1} {
		for _, prefix := range []string{"", "0", "1", "1f", "1f3", "1f3a", "1f3a0", "01", "f", "ffffffffffffffff", "fffffffffffffffff", "x"} {
			if got, want := id.BeginsWith(prefix), strings.HasPrefix(id.String(), prefix); got != want {
				t.Errorf("%s begins with %q: %v", id, prefix, got)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { flow.ID(0x1f3a).BeginsWith("1f") }); n != 0 {
		t.Errorf("%v allocations for each of 100,000 ids", n)
	}
}
