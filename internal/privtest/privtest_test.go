package privtest

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// enterAnother moves the test into a new network namespace and returns its inode
// number.
func enterAnother(t *testing.T) uint64 {
	t.Helper()
	InNewNetNS(t)
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// The inode number of a namespace that a test left is no other test's.
func TestNamespacesKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	left := enterAnother(t)
	for range 10 {
		time.Sleep(25 * time.Millisecond) // the kernel frees one that nobody holds in the background
		if enterAnother(t) == left {
			t.Fatalf("another namespace has the number %d, too", left)
		}
	}
}
