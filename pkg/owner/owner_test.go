package owner_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

// nobody is a number that no process has: above the kernel's limit (2^22).
const nobody = 4_194_305

// echo is a process that started at 4711 ticks of 10 ms.
var echo = flow.Process{PID: nobody, Started: 47_118 * time.Millisecond}

// stat is a line of /proc/PID/stat.
func stat(comm string, started uint64) string {
	return "4711 (" + comm + ") S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " + strconv.FormatUint(started, 10) + " 1000 2000 18446744073709551615\n"
}

// status is how /proc/PID/status goes on after the name.
func status(users string) string {
	return "\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4194305\nNgid:\t0\nPid:\t4194305\nPPid:\t4194304\nTracerPid:\t0\n" +
		"Uid:\t" + users + "\nGid:\t100\t100\t100\t100\nFDSize:\t64\n"
}

func TestLookup(t *testing.T) {
	container := strings.Repeat("ab", 32)
	pod := "0::/kubepods/besteffort/pod3fa1c2de-9b07-4c55-8e21-0a6b7c8d9e0f/" + container + "\n"
	host := flow.Owner{User: "1000"}
	inPod := flow.Owner{Container: container, PodUID: "3fa1c2de-9b07-4c55-8e21-0a6b7c8d9e0f"}
	for name, tc := range map[string]struct {
		stat, cgroup string
		want         flow.Owner
		err          error
	}{
		"pod":                     {stat("echo", 4711), pod, inPod, nil},
		"host":                    {stat("sshd", 4711), "0::/system.slice/sshd.service\n", host, nil},
		"a name full of brackets": {stat("a) R 1 (b) c", 4711), pod, inPod, nil},
		"a name of control bytes": {stat("x\x01\n) y\xff", 4711), pod, inPod, nil},
		"no name":                 {stat("", 4711), pod, inPod, nil},
		"its number is another's": {stat("echo", 4712), pod, flow.Owner{}, owner.ErrGone},
		"one that came before it": {stat("echo", 4710), pod, flow.Owner{}, owner.ErrGone},
		"more than is read":       {stat("echo", 4711), strings.Repeat("1:x:/\n", 20_000) + pod, host, nil},
		"cut in the last line":    {stat("echo", 4711), "0::/" + strings.Repeat("x/", 64<<10), host, nil},
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			process(t, proc, tc.stat, tc.cgroup)
			got, err := owner.New(proc).Lookup(echo)
			if !errors.Is(err, tc.err) || tc.err == nil && err != nil {
				t.Fatalf("%v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestUser(t *testing.T) {
	for name, c := range map[string]struct{ status, want string }{
		"a user":                           {status("1000\t1000\t1000\t1000"), "1000"},
		"root":                             {status("0\t0\t0\t0"), "0"},
		"in a setuid program of root's":    {status("1000\t0\t0\t0"), "1000"},
		"the highest":                      {status("4294967294\t0\t0\t0"), "4294967294"},
		"a name with a line of its own":    {"Name:\tx\nUid:\t7\t\n" + status("1000\t1000\t1000\t1000"), "1000"},
		"a name with all of it":            {"Name:\tx\nUid:\t7\t7\t7\t7\nGid:\t7\n" + status("1000\t1000\t1000\t1000"), "1000"},
		"a name alone has it":              {"Name:\tUid:\t7\t7\t7\t7\nState:\tS (sleeping)\n", ""},
		"no number":                        {status("x\t0\t0\t0"), ""},
		"a number that no user has":        {status("4294967296\t0\t0\t0"), ""},
		"below all users":                  {status("-1\t0\t0\t0"), ""},
		"cut in the number":                {"Name:\techo\nUid:\t10", ""},
		"nothing":                          {"", ""},
		"more groups than are ever read":   {status("1000\t1000\t1000\t1000") + "Groups:\t" + strings.Repeat("1 ", 65_536) + "\n", "1000"},
		"the longest name, all of it bent": {"Name:\t" + strings.Repeat(`\001`, 15) + status("1000\t1000\t1000\t1000"), "1000"},
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			process(t, proc, stat("echo", 4711), "0::/\n")
			write(t, filepath.Join(proc, strconv.Itoa(nobody), "status"), c.status)
			got, err := owner.New(proc).Lookup(echo)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(flow.Owner{User: c.want}, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestNoNameForgesAUser: this process takes a name that looks like the kernel's
// line of user ids.
func TestNoNameForgesAUser(t *testing.T) {
	const comm = "/proc/self/comm"
	was, err := os.ReadFile(comm)
	if err != nil {
		t.Fatal(err)
	}
	write(t, comm, "x\nUid:\t7\t7\t7\n")
	defer write(t, comm, strings.TrimSuffix(string(was), "\n"))
	got, err := owner.New("/proc").Lookup(flow.Process{PID: uint32(os.Getpid()), Started: started(t, "/proc", "self")})
	if want := strconv.Itoa(os.Getuid()); err != nil || got.User != want {
		t.Errorf("user %q and %v, want %s", got.User, err, want)
	}
}

func TestStartOfAProcessInATimeNamespace(t *testing.T) {
	for name, c := range map[string]struct {
		offsets string
		shows   uint64
	}{
		"ahead":             {"monotonic           0         0\nboottime       86400         0\n", 4711 + 8_640_000},
		"ahead by less":     {"monotonic 0 0\nboottime 0 5000000\n", 4712},
		"behind":            {"monotonic 0 0\nboottime -40 0\n", 711},
		"the node's own":    {"monotonic 5 0\nboottime 0 0\n", 4711},
		"not understood":    {"boottime x 0\n", 4711},
		"not understood, 2": {"boottime 0 x\n", 4711},
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			write(t, filepath.Join(proc, "self", "timens_offsets"), c.offsets)
			process(t, proc, stat("echo", c.shows), "0::/\n")
			if _, err := owner.New(proc).Lookup(echo); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLookupGone(t *testing.T) {
	if _, err := owner.New(t.TempDir()).Lookup(echo); !errors.Is(err, owner.ErrGone) {
		t.Errorf("a process without a directory: %v, want ErrGone", err)
	}
	proc := t.TempDir()
	write(t, filepath.Join(proc, strconv.Itoa(nobody), "stat"), stat("echo", 4711))
	if _, err := owner.New(proc).Lookup(echo); !errors.Is(err, owner.ErrGone) {
		t.Errorf("a process that left after its start was read: %v, want ErrGone", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.New("/proc").Lookup(flow.Process{PID: uint32(cmd.Process.Pid)}); !errors.Is(err, owner.ErrGone) {
		t.Errorf("a process that was waited for: %v, want ErrGone", err)
	}
}

func TestLookupKeepsOtherErrors(t *testing.T) {
	for name, line := range map[string]string{
		"no line":          "",
		"a line too short": "1 (x) S 1 2",
		"no number":        strings.ReplaceAll(stat("echo", 4711), "4711 1000", "x 1000"),
	} {
		proc := t.TempDir()
		process(t, proc, line, "0::/\n")
		if _, err := owner.New(proc).Lookup(echo); err == nil || errors.Is(err, owner.ErrGone) || errors.Is(err, owner.ErrHidden) {
			t.Errorf("%s: %v, want an error of its own", name, err)
		}
	}
}

// TestLookupOfTheHidden has a process that lives and that this /proc lacks.
func TestLookupOfTheHidden(t *testing.T) {
	me := flow.Process{PID: uint32(os.Getpid())}
	proc := t.TempDir()
	if _, err := owner.New(proc).Lookup(me); !errors.Is(err, owner.ErrHidden) {
		t.Errorf("%v, want ErrHidden", err)
	}
	if err := owner.New(proc).Check(); !errors.Is(err, owner.ErrHidden) {
		t.Errorf("without the first process: %v, want ErrHidden", err)
	}
	write(t, filepath.Join(proc, "1", "stat"), stat("init", 0))
	if err := owner.New(proc).Check(); err != nil {
		t.Errorf("with the first process: %v", err)
	}
}

// TestHidepid mounts /proc as a hardened host does, and looks at it as nobody.
func TestHidepid(t *testing.T) {
	if proc := os.Getenv("TCPSTUCK_TEST_PROC"); proc != "" {
		lookAtFirst(t, proc)
		return
	}
	privtest.Require(t)
	for option, hidden := range map[string]bool{"hidepid=0": false, "hidepid=1": true, "hidepid=2": true, "hidepid=4": true} {
		t.Run(option, func(t *testing.T) {
			look := "mount -t proc -o " + option + ` proc /proc && setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --inh-caps=-all "$0" -test.v -test.run='^TestHidepid$'; exit $?` // the shell is the first process
			program := copyOfTest(t)
			cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "sh", "-c", look, program)
			cmd.Dir = "/"
			cmd.Env = append(os.Environ(), "TCPSTUCK_TEST_PROC=/proc", "TCPSTUCK_TEST_HIDDEN="+strconv.FormatBool(hidden))
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestHidepid") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// lookAtFirst looks, as nobody, at root's first process and at itself.
func lookAtFirst(t *testing.T, proc string) {
	var want error
	if os.Getenv("TCPSTUCK_TEST_HIDDEN") == "true" {
		want = owner.ErrHidden
	}
	r := owner.New(proc)
	if err := r.Check(); !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("check: %v, want %v", err, want)
	}
	first := flow.Process{PID: 1}
	if want == nil {
		first.Started = started(t, proc, "1")
	}
	if _, err := r.Lookup(first); !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("the first process: %v, want %v", err, want)
	}
	if _, err := r.Lookup(flow.Process{PID: uint32(os.Getpid()), Started: started(t, proc, "self")}); err != nil {
		t.Errorf("itself: %v", err)
	}
}

func TestLookupThisProcess(t *testing.T) {
	pid := uint32(os.Getpid())
	began := started(t, "/proc", "self")
	if _, err := owner.New("/proc").Lookup(flow.Process{PID: pid, Started: began}); err != nil {
		t.Error(err)
	}
	if _, err := owner.New("/proc").Lookup(flow.Process{PID: pid, Started: began - time.Second}); !errors.Is(err, owner.ErrGone) {
		t.Errorf("one that had the number a second earlier: %v, want ErrGone", err)
	}
}

// started returns when a process started, as /proc shows it.
func started(t testing.TB, proc, pid string) time.Duration {
	t.Helper()
	line, err := os.ReadFile(filepath.Join(proc, pid, "stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
	n, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * 10 * time.Millisecond
}

func BenchmarkLookup(b *testing.B) {
	r, p := owner.New("/proc"), flow.Process{PID: uint32(os.Getpid()), Started: started(b, "/proc", "self")}
	for b.Loop() {
		if _, err := r.Lookup(p); err != nil {
			b.Fatal(err)
		}
	}
}

// copyOfTest copies this program to where any user may start it.
func copyOfTest(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "owner.test")
	if err := os.WriteFile(path, program, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range []string{filepath.Dir(dir), dir, path} {
		if err := os.Chmod(one, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func process(t *testing.T, proc, stat, cgroup string) {
	t.Helper()
	write(t, filepath.Join(proc, strconv.Itoa(nobody), "stat"), stat)
	write(t, filepath.Join(proc, strconv.Itoa(nobody), "cgroup"), cgroup)
	write(t, filepath.Join(proc, strconv.Itoa(nobody), "status"), status("1000\t1000\t1000\t1000"))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// FuzzLookup reads files of /proc that no kernel would write.
func FuzzLookup(f *testing.F) {
	users := status("0\t0\t0\t0")
	f.Add(stat("echo", 4711), "0::/\n", users)
	f.Add(stat("a\x1b[31m)b", 4711), "12:pids:/kubepods/burstable/pod0b9c6d0e-8f0d-4e58-9c5e-3c1f0e9a7a11/abc\n", users)
	f.Add("", "", "")
	f.Add(")", "", "\nUid:\t")
	f.Fuzz(func(t *testing.T, stat, cgroup, status string) {
		proc := t.TempDir()
		process(t, proc, stat, cgroup)
		write(t, filepath.Join(proc, strconv.Itoa(nobody), "status"), status)
		if o, err := owner.New(proc).Lookup(echo); err != nil && o != (flow.Owner{}) {
			t.Errorf("%+v and %v", o, err)
		}
	})
}
