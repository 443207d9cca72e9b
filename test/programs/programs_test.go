// Package programs tests the built programs from outside, as a user meets them:
// under the privileges of a container, and with faults around them.
package programs

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/internal/progtest"
)

// built is a folder with the programs.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tcpstuck-programs-")
	if err != nil {
		return "", err
	}
	for name, source := range map[string]string{"tcpstuck-agent": "cmd/agent", "tcpstuck": "cmd/tcpstuck"} {
		if err := progtest.Build("../..", source, filepath.Join(dir, name), progtest.Small+" -X main.version=test"); err != nil {
			return dir, err
		}
	}
	return dir, os.Chmod(dir, 0o755)
})

func TestMain(m *testing.M) {
	privtest.Overlap(2)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, _ := built(); dir != "" {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// program returns the path of a built program.
func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
