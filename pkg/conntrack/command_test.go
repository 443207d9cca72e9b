package conntrack_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestDeleteCommand gives the command that operators are shown to the real
// conntrack(8). `make test` installs it; the guests of `make test-kernels` are
// without it, and skip this test.
func TestDeleteCommand(t *testing.T) {
	privtest.InNewNetNS(t)
	if _, err := exec.LookPath("conntrack"); err != nil {
		t.Skip("needs the conntrack tool")
	}
	table := open(t)
	sameButSource := tuple("192.168.75.3:43580", "10.96.0.10:8000")
	sameButPort := tuple("192.168.75.2:43581", "10.96.0.10:8000")
	sameButService := tuple("192.168.75.2:43580", "10.96.0.10:8001")
	zoned := entry(service4, backend4)
	zoned.Zone = 4
	fill(
		t, zoned, entry(service4, backend4), entry(service6, backend6),
		entry(sameButSource, sameButSource.Reverse()), entry(sameButPort, sameButPort.Reverse()),
		entry(sameButService, sameButService.Reverse()),
	)
	for _, asked := range []flow.Tuple{service4, service6} {
		found, err := table.Lookup(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		runDelete(t, found)
		if _, err := table.Lookup(t.Context(), asked); !errors.Is(err, conntrack.ErrNotFound) {
			t.Errorf("%s is still there: %v", asked, err)
		}
	}
	for _, asked := range []flow.Tuple{sameButSource, sameButPort, sameButService} {
		if _, err := table.Lookup(t.Context(), asked); err != nil {
			t.Errorf("%s went with another: %v", asked, err)
		}
	}
	inZone, err := table.Search(t.Context(), service4)
	if err != nil || len(inZone) != 1 {
		t.Fatalf("the entry of zone 4 went with that of zone 0: %+v, %v", inZone, err)
	}
	runDelete(t, inZone[0])
	if _, err := table.Search(t.Context(), service4); !errors.Is(err, conntrack.ErrNotFound) {
		t.Errorf("the entry of zone 4 is still there: %v", err)
	}
}

// runDelete runs an entry's delete command, in the thread's namespace.
func runDelete(t *testing.T, e flow.Translation) {
	t.Helper()
	args := strings.Fields(e.DeleteCommand())
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 flow entries have been deleted") {
		t.Errorf("%s: %v\n%s", e.DeleteCommand(), err, out)
	}
}
