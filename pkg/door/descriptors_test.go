package door_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/progtest"
	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// few is the limit of descriptors of a process that is flooded.
const few = 160

// works is how many descriptors that process needs at once for its own work.
const works = 40

// TestFloodedProcess is no test: it is the process of the one below.
func TestFloodedProcess(t *testing.T) {
	if os.Getenv("DOOR_FLOODED") == "" {
		return // TestAFloodLeavesDescriptorsForTheWork runs it
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: few, Max: few}); err != nil {
		t.Fatal(err)
	}
	places, err := door.Places(3)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(open(t, "tcp", places, ok))
	fmt.Println(open(t, "tcp", places, ok))
	fmt.Println(open(t, "unix", places, ok))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(work())
	}
}

// work opens what the agent's work opens, and closes it again.
func work() string {
	for range works {
		f, err := os.Open("/proc/self/stat")
		if err != nil {
			return err.Error()
		}
		defer func() { _ = f.Close() }()
	}
	return "done"
}

// However many connect, the process has the descriptors that it needs.
func TestAFloodLeavesDescriptorsForTheWork(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFloodedProcess$")
	cmd.Env = append(os.Environ(), "DOOR_FLOODED=1", "TMPDIR="+t.TempDir())
	in, out := progtest.Talk(t, cmd)
	lines := bufio.NewScanner(out)
	var addresses []string
	for range 3 {
		if !lines.Scan() {
			t.Fatalf("it ends: %v", cmd.Wait())
		}
		addresses = append(addresses, lines.Text())
	}
	for range 3 {
		for _, address := range addresses {
			network := "tcp"
			if filepath.IsAbs(address) {
				network = "unix"
			}
			for range 100 {
				if conn, err := net.Dial(network, address); err == nil {
					t.Cleanup(func() { _ = conn.Close() })
					_, _ = io.WriteString(conn, whole)
				}
			}
		}
		if _, err := fmt.Fprintln(in, "work"); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "done" {
			t.Errorf("while the ports are flooded: %s", lines.Text())
		}
		honest := dial(t, "tcp", addresses[0])
		say(t, honest, whole)
		if code := status(t, honest); code != http.StatusOK {
			t.Errorf("answered with %d", code)
		}
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	rest, err := io.ReadAll(out)
	if err := cmd.Wait(); err != nil || strings.Contains(string(rest), "FAIL") {
		t.Errorf("%v %s", err, rest)
	}
	if err != nil {
		t.Error(err)
	}
}
