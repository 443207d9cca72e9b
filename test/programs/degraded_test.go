package programs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// pod is what a DaemonSet's pod leaves the agent.
func pod(t *testing.T) privtest.Container {
	t.Helper()
	return privtest.Container{UID: nobody, Bounding: granted(t), Permitted: granted(t), NoNewPrivs: true}
}

func TestKernelThatCannotRunIt(t *testing.T) {
	privtest.Require(t)
	old := filepath.Join(t.TempDir(), "btf")
	b, err := btf.NewBuilder([]btf.Type{&btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ btf, says string }{
		"no BTF":         {"-", "tcpstuck-agent: this kernel cannot run tcpstuck: it has no readable BTF (/sys/kernel/btf/vmlinux)"},
		"no tracepoints": {old, "tcpstuck-agent: this kernel cannot run tcpstuck: no tracepoint tcp_retransmit_skb in its BTF"},
	} {
		t.Run(name, func(t *testing.T) {
			nettest.Loopback(t)
			container := pod(t)
			container.BTF = c.btf
			a := startContained(t, container, "=p")
			if code := a.wait(t); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			if log := a.log(t); !strings.HasPrefix(log, c.says) || strings.Count(log, "\n") != 1 {
				t.Errorf("%s\nwant one line that begins %q", log, c.says)
			}
		})
	}
}

// Without conntrack the agent works on, and says what it cannot say.
func TestWithoutConntrack(t *testing.T) {
	inum := nettest.Loopback(t)
	container := pod(t)
	container.NoNetfilter = true
	a := startContained(t, container, "=p", fmt.Sprint("--scope-netns=", inum), "--log-level=warn")
	const says = "conntrack is unavailable: the kernel has no nfnetlink"
	a.await(t, "it says so", func() error {
		out, err := a.run("dump")
		if err == nil && !strings.Contains(out, says) {
			err = errors.New(out)
		}
		return err
	})
	if log := a.log(t); !strings.Contains(log, `msg="a source is degraded" source=conntrack`) {
		t.Errorf("the log is %s", log)
	}
}

// A file of records that breaks costs nothing that was known, and is said.
func TestRecordsBreakLater(t *testing.T) {
	inum := nettest.Loopback(t)
	container := pod(t)
	state := filepath.Join(t.TempDir(), "state.yaml")
	for dir := filepath.Dir(state); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the agent is another user
			t.Fatal(err)
		}
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(state+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(state+".new", state); err != nil {
			t.Fatal(err)
		}
	}
	const good = "apiVersion: v1\nitems: []\nkind: List\n"
	put(good)
	a := startContained(t, container, "=p", fmt.Sprint("--scope-netns=", inum), "--log-level=warn", "--cluster=file", "--cluster-state="+state)
	says := func(what string) func() error {
		return func() error {
			out, err := a.run("dump")
			if err == nil && !strings.Contains(strings.Join(strings.Fields(out), " "), what) { // wherever its lines end
				err = errors.New(out)
			}
			return err
		}
	}
	a.await(t, "the records are read", says("cluster (file "))
	put("kind: [List")
	a.await(t, "it says that they are broken", says("did not find expected ',' or ']'"))
	if log := a.log(t); strings.Count(log, "cluster state is unreadable: what was known is kept") != 1 {
		t.Errorf("the log is %s", log)
	}
	put(good)
	a.await(t, "they are read again", says("conntrack, cluster (file "))
}

// A socket that a killed agent left is replaced by the next one, and a
// stranger may not ask.
func TestSocketOfAnAgentThatWasKilled(t *testing.T) {
	inum := nettest.Loopback(t)
	c := pod(t)
	cmd, dir := contain(t, &c, "=p", fmt.Sprint("--scope-netns=", inum))
	for range 2 {
		again := *cmd
		a := start(t, c, &again, dir)
		a.await(t, "it answers", func() error { return a.ask(nil, "dump") })
		stranger := exec.Command(a.cli, "dump", "--socket", filepath.Join(dir, "agent.sock"))
		stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody - 1, Gid: nobody - 1}}
		out, _ := stranger.CombinedOutput()
		if !strings.HasPrefix(string(out), "tcpstuck: no permission to ask the agent on ") || stranger.ProcessState.ExitCode() != 2 {
			t.Errorf("a stranger gets %s", out)
		}
		if err := a.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		a.wait(t)
		if _, err := os.Stat(filepath.Join(dir, "agent.sock")); err != nil {
			t.Fatalf("the socket is to be left behind: %v", err)
		}
	}
}
