package kube_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tcpstuck/tcpstuck/internal/progtest"
)

// bin is where make build puts the programs.
const bin = "../../bin"

// TestCalico plays the case that gave the product its name with an agent that
// reads the real API, and looks at what it then shows.
func TestCalico(t *testing.T) {
	e, cmd, stdout, stderr := reproduce(t, "calico", "--keep")
	await(t, "the end of the scenario", func() bool { return strings.Contains(stderr.String(), "conntrack -D") || ended(cmd) })
	_, socket, _ := strings.Cut(stderr.String(), "--socket ")
	socket, _, _ = strings.Cut(socket, "\n")
	out, err := exec.Command(filepath.Join(bin, "tcpstuck"), "dump", "--socket", socket).CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("dump: %v", err)
	}
	t.Logf("%s", out)
	for _, want := range []string{
		`default/client-\S+ \(Deployment client, .*\) → default/server:8000\s+→ 192\.168\.136\.2:8000 \(pod server-\S+, deleted [\d.]+m?s ago\)`,
		`StaleConntrack`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("dump does not say %s; the scenario:\n%s", want, stdout)
		}
	}
	var reported []corev1.Event
	await(t, "an Event", func() bool { reported = e.eventsIn(t, namespace); return len(reported) > 0 })
	if ev := reported[0]; len(reported) != 1 || ev.Reason != "TCPStuckStaleConntrack" || ev.InvolvedObject.Kind != "Pod" ||
		!strings.HasPrefix(ev.InvolvedObject.Name, "client-") || ev.Related == nil || ev.Related.Name != "server" {
		t.Errorf("Events %+v", reported)
	}
}

// TestControls plays what must not be reported.
func TestControls(t *testing.T) {
	for _, name := range []string{
		"graceful", "service-deleted", "relabelled", "slice-move", "no-target-ref", "hostnetwork-restart", "forced-terminating",
	} {
		t.Run(name, func(t *testing.T) {
			_, cmd, stdout, stderr := reproduce(t, name, "--json")
			await(t, "the end of the scenario", func() bool { return ended(cmd) })
			var r struct {
				OK     bool
				Reason string
			}
			if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil || !r.OK {
				t.Errorf("%v %s %s", err, r.Reason, stderr)
			}
		})
	}
}

// reproduce starts a scenario whose agent reads a real API, and ends it with
// the test.
func reproduce(t *testing.T, name string, flags ...string) (*environment, *exec.Cmd, *progtest.Output, *progtest.Output) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	e := start(t, "service-cluster-ip-range=10.96.0.0/16")
	objects := filepath.Join(t.TempDir(), "objects.yaml")
	mirrorFile(t, e, objects)
	var stdout, stderr progtest.Output
	args := append([]string{"run", name, "--kubeconfig", e.kubeconfig(t, "", nil), "--objects", objects}, flags...)
	cmd := exec.Command(filepath.Join(bin, "reproducer"), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Error("the reproducer does not end")
			_ = cmd.Process.Kill()
		}
		if t.Failed() {
			t.Logf("the reproducer:\n%s%s", &stdout, &stderr)
		}
	})
	return e, cmd, &stdout, &stderr
}

func ended(cmd *exec.Cmd) bool { return !alive(cmd.Process.Pid) }

// alive reports whether a process runs; one that has ended and was waited for
// does not.
func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
