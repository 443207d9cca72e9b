// Package privtest has what privileged tests share: the demand for privilege and a
// fresh network namespace.
package privtest

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Require ends a test that runs without root: as a skip, or under CI as a
// failure, because CI has the privilege and a skip there would hide a defect.
func Require(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	Missing(t, "needs root")
}

// Missing ends a test that lacks something, as Require does.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, and CI must have it", what)
	}
	t.Skip(what)
}

// InNewNetNS runs the rest of the calling test in a network namespace of its
// own, with loopback down. The thread stays locked and dies with the
// goroutine, so the namespace goes with the test.
//
// The namespace stays until the test ends, also if the test leaves it for another:
// the kernel gives its inode number to the next one, which may be another test's.
func InNewNetNS(t testing.TB) {
	t.Helper()
	Require(t)
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		Missing(t, "needs a network namespace: "+err.Error())
	}
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = namespace.Close() })
}
