// Package programs tests the built programs from outside, as whoever runs
// them meets them: under the privileges of a container, and with whatever can
// be wrong around them.
package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// built is a folder with the programs.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tcpstuck-programs-")
	if err != nil {
		return "", err
	}
	for name, source := range map[string]string{"tcpstuck-agent": "./cmd/agent", "tcpstuck": "./cmd/tcpstuck"} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -X main.version=test", "-o", filepath.Join(dir, name), source)
		cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("build %s: %w\n%s", name, err, out)
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
