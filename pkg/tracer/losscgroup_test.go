package tracer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// inNamespaces is how many namespaces a restarted test binary inherits, to lose
// bytes in each.
const inNamespaces = "TCPSTUCK_TEST_LOSE_IN_NAMESPACES"

// Network namespaces are easy to make many of: the cgroup that they are in has a
// share, too.
func TestACgroupOfManyNamespacesIsOneOwner(t *testing.T) {
	cgroup := newCgroup(t)
	namespaces, scope := manyNamespaces(t, 15)
	inum := nettest.Loopback(t)
	tr := open(t, Options{Scope: append(scope, inum), LossRecords: 5})
	run(t, tr)

	greedy := exec.Command(os.Args[0], "-test.run=^TestHelperLosesInNamespaces$")
	greedy.Env = append(os.Environ(), fmt.Sprint(inNamespaces, "=", len(namespaces)))
	greedy.ExtraFiles = namespaces
	greedy.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	if said, err := greedy.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	held := limited(t, tr)
	client := unread(t, 1)[0]
	id := cookie(t, client)
	_ = client.Close()
	if n := limited(t, tr); n != held {
		t.Fatal("the neighbour's record was held back")
	}
	if end := endOf(t, tr, id); end.Loss != flow.LostClosedUnread {
		t.Errorf("%+v, want a loss", end)
	}
}

// manyNamespaces makes network namespaces, and returns them with their inode numbers.
func manyNamespaces(t *testing.T, n int) (namespaces []*os.File, inodes []uint32) {
	t.Helper()
	for n := range n {
		t.Run(fmt.Sprint("namespace ", n), func(t *testing.T) {
			inodes = append(inodes, nettest.Loopback(t))
			f, err := os.Open("/proc/thread-self/ns/net")
			if err != nil {
				t.Fatal(err)
			}
			namespaces = append(namespaces, f)
		})
	}
	t.Cleanup(func() {
		for _, f := range namespaces {
			_ = f.Close()
		}
	})
	return namespaces, inodes
}

// TestHelperLosesInNamespaces is no test: it is what the one above starts.
func TestHelperLosesInNamespaces(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(inNamespaces))
	if err != nil {
		return // TestACgroupOfManyNamespacesIsOneOwner runs it
	}
	for fd := 3; fd < 3+n; fd++ {
		t.Run(fmt.Sprint(fd), func(t *testing.T) {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				t.Fatal(err)
			}
			for _, c := range unread(t, 6) {
				_ = c.Close()
			}
		})
	}
}

// newCgroup makes a cgroup of version 2 and shows it to this test alone.
func newCgroup(t *testing.T) *os.File {
	t.Helper()
	privtest.Require(t)
	runtime.LockOSThread()
	root := t.TempDir()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		privtest.Missing(t, "needs a mount namespace: "+err.Error())
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("cgroup2", root, "cgroup2", 0, ""); err != nil {
		privtest.Missing(t, "needs cgroups of version 2: "+err.Error())
	}
	path := filepath.Join(root, fmt.Sprint("tcpstuck-test-", os.Getpid()))
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.Close()
		if err := unix.Rmdir(path); err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	return f
}
