package programs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/internal/privileges"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

const nobody = 65534

// granted are the capabilities of the list that the manifests are held to.
func granted(t *testing.T) (all []cap.Value) {
	t.Helper()
	list, err := privileges.Read("../../deploy/privileges.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list.Capabilities {
		v, err := cap.FromName("cap_" + strings.ToLower(name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// containers in which the agent works: the rows of docs/privileges.md.
func TestContainerFindsAStuckFlow(t *testing.T) {
	privtest.Require(t)
	three := granted(t)
	for name, c := range map[string]struct {
		file      string // capabilities of the program's file
		container privtest.Container
	}{
		"a pod of a user":                {"=p", privtest.Container{UID: nobody, Bounding: three, Permitted: three, NoNewPrivs: true}},
		"raised by the file":             {"=ep", privtest.Container{UID: nobody, Bounding: three, Permitted: three, NoNewPrivs: true}},
		"permitted emptied before":       {"=p", privtest.Container{UID: nobody, Bounding: three}},
		"a pod of root":                  {"", privtest.Container{Bounding: three, Permitted: three, NoNewPrivs: true}},
		"a unit of systemd":              {"", privtest.Container{UID: nobody, Bounding: three, Ambient: three, NoNewPrivs: true}},
		"root with all its capabilities": {"", privtest.Container{Bounding: every(), Permitted: every(), Unfiltered: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inum := nettest.Loopback(t)
			client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			a := startContained(t, c.container, c.file, fmt.Sprint("--scope-netns=", inum), "--stuck-after=1s")
			a.await(t, "it is ready", func() error { return a.ask(nil, "dump", "--all") })
			nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
			if _, err := client.Write([]byte("hello?")); err != nil {
				t.Fatal(err)
			}
			a.finds(t)
			a.isConfined(t, c.container)
			a.stop(t)
		})
	}
}

// finds waits for the flow, and for all that the agent asks the kernel for
// after its start: owner, conntrack, route.
func (a *contained) finds(t *testing.T) {
	t.Helper()
	a.await(t, "the flow is found", func() error {
		var list struct {
			Flows []struct {
				Symptom  string
				Local    struct{ PID int }
				Evidence []struct{ Source, Answer string }
			}
			Sources []struct {
				Source string
				Up     bool
			}
		}
		if err := a.ask(&list, "dump", "-o", "json"); err != nil {
			return err
		}
		if len(list.Flows) != 1 || list.Flows[0].Symptom != "Retransmitting" || list.Flows[0].Local.PID != os.Getpid() {
			return fmt.Errorf("found %+v", list.Flows)
		}
		asked := map[string]bool{}
		for _, e := range list.Flows[0].Evidence {
			asked[e.Source] = true
			if strings.Contains(e.Answer, "permi") {
				return fmt.Errorf("%s was refused: %s", e.Source, e.Answer)
			}
		}
		if !asked["conntrack"] {
			return fmt.Errorf("conntrack was not asked: %+v", list.Flows[0].Evidence)
		}
		for _, s := range list.Sources {
			if !s.Up {
				return fmt.Errorf("%s is down", s.Source)
			}
		}
		return nil
	})
	if err := a.ask(nil, "audit"); err != nil {
		t.Error(err)
	}
}

// isConfined looks at every thread, and at what was written.
func (a *contained) isConfined(t *testing.T, c privtest.Container) {
	t.Helper()
	const netAdmin = "0000000000001000"
	bounding := fmt.Sprintf("%016x", bits(c.Bounding))
	if slices.Contains(c.Bounding, cap.SETPCAP) {
		bounding = fmt.Sprintf("%016x", 0)
	}
	want := map[string]string{
		"CapInh": fmt.Sprintf("%016x", 0), "CapAmb": fmt.Sprintf("%016x", 0), "CapPrm": netAdmin, "CapEff": netAdmin,
		"CapBnd": bounding, "NoNewPrivs": "1",
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", a.cmd.Process.Pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, path := range threads {
		status, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		got := map[string]string{}
		for line := range strings.Lines(string(status)) {
			if name, value, _ := strings.Cut(line, ":"); want[name] != "" {
				got[name] = strings.TrimSpace(value)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
	var files []string
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	if diff := cmp.Diff([]string{"agent.sock", "events.jsonl", "tcpstuck-agent"}, files); diff != "" {
		t.Errorf("its folder: -want +got\n%s", diff)
	}
}

func TestContainerLacksACapability(t *testing.T) {
	privtest.Require(t)
	const most = "tcpstuck-agent: missing %s: the agent needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, as root or as capabilities of its file; it runs as uid %d with no_new_privs (docs/privileges.md)\n"
	three := granted(t)
	but := func(v cap.Value) []cap.Value {
		return slices.DeleteFunc(slices.Clone(three), func(w cap.Value) bool { return v == w })
	}
	user := func(v cap.Value) privtest.Container {
		return privtest.Container{UID: nobody, Bounding: but(v), Permitted: but(v), NoNewPrivs: true}
	}
	root := func(v cap.Value) privtest.Container {
		return privtest.Container{Bounding: but(v), Permitted: but(v), NoNewPrivs: true}
	}
	for name, c := range map[string]struct {
		file      string
		container privtest.Container
		want      string
	}{
		"user without CAP_BPF":       {"=p", user(cap.BPF), fmt.Sprintf(most, "CAP_BPF", nobody)},
		"user without CAP_PERFMON":   {"=p", user(cap.PERFMON), fmt.Sprintf(most, "CAP_PERFMON", nobody)},
		"user without CAP_NET_ADMIN": {"=p", user(cap.NET_ADMIN), fmt.Sprintf(most, "CAP_NET_ADMIN", nobody)},
		"root without CAP_BPF":       {"", root(cap.BPF), fmt.Sprintf(most, "CAP_BPF", 0)},
		"root without CAP_PERFMON":   {"", root(cap.PERFMON), fmt.Sprintf(most, "CAP_PERFMON", 0)},
		"root without CAP_NET_ADMIN": {"", root(cap.NET_ADMIN), fmt.Sprintf(most, "CAP_NET_ADMIN", 0)},
		"a file without": {
			"", privtest.Container{UID: nobody, Bounding: three, Permitted: three, NoNewPrivs: true},
			fmt.Sprintf(most, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN", nobody),
		},
		"a runtime that empties permitted": {
			"=p", privtest.Container{UID: nobody, Bounding: three, NoNewPrivs: true},
			fmt.Sprintf(most, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN", nobody),
		},
	} {
		t.Run(name, func(t *testing.T) {
			nettest.Loopback(t)
			a := startContained(t, c.container, c.file)
			if code := a.wait(t); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			if diff := cmp.Diff(c.want, a.log(t)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// A file with =ep does not even start where a capability is not granted: the
// reason why =p is what docs/privileges.md says.
func TestContainerRefusesAFileThatInsists(t *testing.T) {
	privtest.Require(t)
	nettest.Loopback(t)
	c := pod(t)
	c.Bounding, c.Permitted = c.Bounding[1:], c.Permitted[1:]
	cmd, _ := contain(t, &c, "=ep")
	if err := c.Start(cmd); err == nil || !strings.Contains(err.Error(), "operation not permitted") {
		t.Errorf("got %v", err)
	}
}

// contained is an agent in a container.
type contained struct {
	cmd  *exec.Cmd
	cli  string
	dir  string        // the one that it may write to
	done chan struct{} // closed at its end
}

// contain puts a copy of the agent into a folder that a container may write
// to, and returns the command that runs it.
func contain(t *testing.T, c *privtest.Container, file string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	dir := t.TempDir()
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o777} {
		if err := os.Chmod(path, mode); err != nil { // the agent is another user
			t.Fatal(err)
		}
	}
	agent := filepath.Join(dir, "tcpstuck-agent")
	copyFile(t, agent, program(t, "tcpstuck-agent"))
	if file != "" {
		set, err := cap.FromText("cap_bpf,cap_perfmon,cap_net_admin" + file)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.SetFile(agent); err != nil {
			t.Fatal(err)
		}
	}
	c.Writable = dir
	cmd := exec.Command(agent, append([]string{
		"--socket=" + filepath.Join(dir, "agent.sock"), "--events-file=" + filepath.Join(dir, "events.jsonl"),
		"--web.listen-address=127.0.0.1:0", "--page-address=127.0.0.1:0",
	}, args...)...)
	cmd.Env = []string{"TCPSTUCK_CLUSTER=none", "TCPSTUCK_LOG_LEVEL=error"} // of which a flag may be another; no KUBECONFIG
	return cmd, dir
}

func startContained(t *testing.T, c privtest.Container, file string, args ...string) *contained {
	t.Helper()
	cmd, dir := contain(t, &c, file, args...)
	return start(t, c, cmd, dir)
}

func start(t *testing.T, c privtest.Container, cmd *exec.Cmd, dir string) *contained {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	cmd.Stdout, cmd.Stderr = log, log
	if err := c.Start(cmd); err != nil {
		t.Fatal(err)
	}
	a := &contained{cmd: cmd, cli: program(t, "tcpstuck"), dir: dir, done: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(a.done) }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return a
}

func (a *contained) log(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(a.cmd.Stderr.(*os.File).Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ask runs the command; exit code 1 says that something is stuck.
func (a *contained) ask(into any, args ...string) error {
	out, err := a.run(args...)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

func (a *contained) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, a.cli, append(args, "--socket", filepath.Join(a.dir, "agent.sock"))...)
	cmd.Env = []string{}
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 1 || cmd.ProcessState.ExitCode() < 0 {
		return "", fmt.Errorf("tcpstuck %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

func (a *contained) await(t *testing.T, what string, done func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-a.done:
			t.Fatalf("the agent ended: %s", a.log(t))
		default:
		}
		if err = done(); err == nil {
			return
		}
	}
	t.Fatalf("waiting until %s: %v\n%s", what, err, a.log(t))
}

func (a *contained) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-a.done:
	case <-time.After(patience):
		t.Fatalf("the agent does not end: %s", a.log(t))
	}
	return a.cmd.ProcessState.ExitCode()
}

func (a *contained) stop(t *testing.T) {
	t.Helper()
	if err := a.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := a.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, a.log(t))
	}
	if log := a.log(t); log != "" {
		t.Errorf("it logged\n%s", log)
	}
}

func every() (all []cap.Value) {
	for v := range cap.MaxBits() {
		if on, err := cap.GetBound(v); err == nil && on {
			all = append(all, v)
		}
	}
	return all
}

func bits(values []cap.Value) (w uint64) {
	for _, v := range values {
		w |= 1 << v
	}
	return w
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	// A process that is started meanwhile would hold the copy open for writing,
	// and the kernel would refuse to run it.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
