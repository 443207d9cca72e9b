package tracer

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// ownerTests compare an owner's PID with this process's: in an audit, in a
// file scan, and at a close that loses bytes.
func ownerTests() []string {
	return []string{"TestAuditReadsSettings", "TestAFileScanGivesOwnerAndListener", "TestBytesDieWithTheirSocket", "TestProcessesAreThoseOfProc", "TestWhoClosesIsAProcess"}
}

// TestOwnersInAPIDNamespace runs them where a node is a container, as in kind:
// a process has another number there than the kernel's own.
func TestOwnersInAPIDNamespace(t *testing.T) {
	t.Parallel()
	privtest.Require(t)
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", os.Args[0], "-test.v", "-test.run=^("+strings.Join(ownerTests(), "|")+")$")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range ownerTests() {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s did not run:\n%s", name, out)
		}
	}
}
