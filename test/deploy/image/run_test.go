package image_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// bundle is a container's folder.
type bundle struct {
	dir, state, id string
}

// unpack makes a bundle of the agent's image for this machine.
func unpack(t *testing.T) bundle {
	t.Helper()
	privtest.Require(t)
	if _, err := exec.LookPath("runc"); err != nil {
		privtest.Missing(t, "needs runc")
	}
	dir := t.TempDir()
	_, _, files := open(t, "tcpstuck-"+runtime.GOARCH+".tar")
	root := filepath.Join(dir, "rootfs")
	for _, path := range []string{"", "proc", "sys", "dev", "run"} {
		makeDir(t, filepath.Join(root, path))
	}
	for path, f := range files {
		target := filepath.Join(root, path)
		makeDir(t, filepath.Dir(target))
		if f.header.FileInfo().IsDir() {
			makeDir(t, target)
			continue
		}
		if err := os.WriteFile(target, f.content, fs.FileMode(f.header.Mode)); err != nil {
			t.Fatal(err)
		}
		if value, ok := f.header.PAXRecords[capabilityXattr]; ok {
			if err := unix.Setxattr(target, "security.capability", []byte(value), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bundle{dir, filepath.Join(dir, "state"), fmt.Sprintf("tcpstuck-test-%d", os.Getpid())}
}

func makeDir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// emptyDir is a volume as a kubelet makes it.
func emptyDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (b bundle) runc(args ...string) *exec.Cmd {
	return exec.Command("runc", append([]string{"--root", b.state}, args...)...)
}

// run starts the container; the channel gets how it ended.
func (b bundle) run(t *testing.T, spec *specs.Spec) (*bytes.Buffer, <-chan error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "config.json"), must[[]byte](t)(json.Marshal(spec)), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := b.runc("run", "--bundle", b.dir, b.id)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = b.runc("delete", "--force", b.id).Run() }) // it is gone when the test passed
	return &log, ended
}

// freePort is a port of loopback without a listener.
func freePort(t *testing.T) string {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().String()
}

func get(url string) (string, error) {
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}

// TestAgentUnderARuntime runs the agent from its image as the DaemonSet would,
// asks what a kubelet, Prometheus and kubectl exec ask, and stops it.
func TestAgentUnderARuntime(t *testing.T) {
	b := unpack(t)
	pod := daemonSet(t)
	metrics, page, run := freePort(t), freePort(t), emptyDir(t)
	spec := runtimeSpec(pod, []string{"/usr/bin/tcpstuck-agent", "--cluster=none", "--web.listen-address=" + metrics, "--page-address=" + page}, run)
	log, ended := b.run(t, spec)

	for _, probe := range []string{pod.Containers[0].LivenessProbe.HTTPGet.Path, pod.Containers[0].ReadinessProbe.HTTPGet.Path} {
		awaitOK(t, "http://"+page+probe, ended, log)
	}
	scraped := must[string](t)(get("http://" + metrics + "/metrics"))
	for _, program := range []string{"retransmit", "set_state"} {
		if !strings.Contains(scraped, `tcpstuck_attached{program="`+program+`"} 1`) {
			t.Errorf("%s is not attached", program)
		}
	}
	if missing := regexp.MustCompile(`(?m)^tcpstuck_attached\{.*\} 0$`).FindAllString(scraped, -1); missing != nil {
		t.Errorf("not attached: %q", missing)
	}
	for _, source := range []string{"kernel", "conntrack"} {
		if !strings.Contains(scraped, `tcpstuck_source_up{source="`+source+`"} 1`) {
			t.Errorf("the source %s is down", source)
		}
	}
	out, err := b.runc("exec", b.id, "tcpstuck", "dump", "--output=json").Output()
	if exit := exitCode(err); exit < 0 || exit > 1 || !json.Valid(out) {
		t.Errorf("tcpstuck dump: %d, %s", exit, out)
	}
	if err := b.runc("kill", b.id, "TERM").Run(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v\n%s", err, log)
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(run)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// awaitOK waits until url answers, or fails when the container has ended.
func awaitOK(t *testing.T, url string, ended <-chan error, log *bytes.Buffer) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		_, err := get(url)
		if err == nil {
			return
		}
		select {
		case end := <-ended:
			t.Fatalf("it ended: %v\n%s", end, log)
		case <-deadline:
			t.Fatalf("%s: %v", url, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// exitCode returns a command's exit code, -1 where it was killed or not run.
func exitCode(err error) int {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// TestEveryCapabilityIsNeeded takes one from the container at a time.
func TestEveryCapabilityIsNeeded(t *testing.T) {
	b := unpack(t)
	for _, added := range daemonSet(t).Containers[0].SecurityContext.Capabilities.Add {
		name := "CAP_" + string(added)
		t.Run(name, func(t *testing.T) {
			spec := runtimeSpec(daemonSet(t), []string{"/usr/bin/tcpstuck-agent", "--cluster=none"}, emptyDir(t))
			without(spec, name)
			log, ended := b.run(t, spec)
			if err := <-ended; exitCode(err) != 2 || !strings.Contains(log.String(), "missing "+name+":") {
				t.Errorf("%v\n%s", err, log)
			}
		})
	}
}
