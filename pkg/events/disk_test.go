package events_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/events"
)

// smallDisk mounts a disk of one page that this test alone sees.
func smallDisk(t *testing.T) string {
	t.Helper()
	privtest.Require(t)
	runtime.LockOSThread() // the mount goes with the thread
	if err := syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_FS); err != nil {
		privtest.Missing(t, "needs a mount namespace: "+err.Error())
	}
	dir := t.TempDir()
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestAFullDiskTearsNoLine(t *testing.T) {
	path := filepath.Join(smallDisk(t), "events.jsonl")
	file, err := events.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for err == nil {
		if err = file.Write(degraded("before")); err == nil {
			want = append(want, "before")
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sources(t, path)); diff != "" {
		t.Errorf("while it is full: -want +got\n%s", diff)
	}
	if err := os.Truncate(path, 0); err != nil { // as copytruncate does
		t.Fatal(err)
	}
	if err := file.Write(degraded("after")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"after"}, sources(t, path)); diff != "" {
		t.Errorf("with room again: -want +got\n%s", diff)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}
