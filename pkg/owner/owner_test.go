package owner_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

func TestLookup(t *testing.T) {
	container := strings.Repeat("ab", 32)
	for name, tc := range map[string]struct {
		comm, cgroup string
		want         flow.Owner
	}{
		"pod": {
			"echo\n", "0::/kubepods/besteffort/pod3fa1c2de-9b07-4c55-8e21-0a6b7c8d9e0f/" + container + "\n",
			flow.Owner{PID: 4711, Comm: "echo", Container: container, PodUID: "3fa1c2de-9b07-4c55-8e21-0a6b7c8d9e0f"},
		},
		"host":                 {"sshd\n", "0::/system.slice/sshd.service\n", flow.Owner{PID: 4711, Comm: "sshd"}},
		"spaces and brackets":  {"a) R (b c\n", "0::/\n", flow.Owner{PID: 4711, Comm: "a) R (b c"}},
		"terminal escapes":     {"\x1b[2Jx\n\n", "0::/\n", flow.Owner{PID: 4711, Comm: "?[2Jx?"}},
		"no name":              {"\n", "0::/\n", flow.Owner{PID: 4711}},
		"not UTF-8":            {"a\xffb\n", "0::/\n", flow.Owner{PID: 4711, Comm: "a?b"}},
		"more than is read":    {"echo\n", strings.Repeat("1:x:/\n", 20_000) + "0::/docker/" + container + "\n", flow.Owner{PID: 4711, Comm: "echo"}},
		"cut in the last line": {"echo\n", "0::/" + strings.Repeat("x/", 64<<10), flow.Owner{PID: 4711, Comm: "echo"}},
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			write(t, filepath.Join(proc, "4711", "comm"), tc.comm)
			write(t, filepath.Join(proc, "4711", "cgroup"), tc.cgroup)
			got, err := owner.New(proc).Lookup(4711)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLookupGone(t *testing.T) {
	if _, err := owner.New(t.TempDir()).Lookup(1); !errors.Is(err, owner.ErrGone) {
		t.Errorf("a process without a directory: %v, want ErrGone", err)
	}
	proc := t.TempDir()
	write(t, filepath.Join(proc, "1", "comm"), "init\n")
	if _, err := owner.New(proc).Lookup(1); !errors.Is(err, owner.ErrGone) {
		t.Errorf("a process that left after its name was read: %v, want ErrGone", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.New("/proc").Lookup(uint32(cmd.Process.Pid)); !errors.Is(err, owner.ErrGone) {
		t.Errorf("a process that was waited for: %v, want ErrGone", err)
	}
}

func TestLookupKeepsOtherErrors(t *testing.T) {
	proc := t.TempDir()
	if err := os.MkdirAll(filepath.Join(proc, "1", "comm"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.New(proc).Lookup(1); err == nil || errors.Is(err, owner.ErrGone) {
		t.Errorf("an unreadable name: %v, want an error that is not ErrGone", err)
	}
}

func TestLookupThisProcess(t *testing.T) {
	pid := uint32(os.Getpid())
	got, err := owner.New("/proc").Lookup(pid)
	if err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "comm"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(comm)); got.PID != pid || got.Comm != want {
		t.Errorf("got %+v, want pid %d and comm %q", got, pid, want)
	}
}

func BenchmarkLookup(b *testing.B) {
	r, pid := owner.New("/proc"), uint32(os.Getpid())
	for b.Loop() {
		if _, err := r.Lookup(pid); err != nil {
			b.Fatal(err)
		}
	}
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
	f.Add("echo\n", "0::/\n")
	f.Add("a\x1b[31mb", "12:pids:/kubepods/burstable/pod0b9c6d0e-8f0d-4e58-9c5e-3c1f0e9a7a11/abc\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, comm, cgroup string) {
		proc := t.TempDir()
		write(t, filepath.Join(proc, "7", "comm"), comm)
		write(t, filepath.Join(proc, "7", "cgroup"), cgroup)
		o, err := owner.New(proc).Lookup(7)
		if err == nil && strings.ContainsFunc(o.Comm, unicode.IsControl) {
			t.Errorf("comm %q from %q", o.Comm, comm)
		}
	})
}
