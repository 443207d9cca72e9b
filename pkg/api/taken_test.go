package api_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/api"
)

// bind makes a socket with a name, until the test ends.
func bind(t *testing.T, kind int, path string) (fd int) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Close(fd); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// full makes a listener that has no room for one more connection.
func full(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Listen(bind(t, syscall.SOCK_STREAM, path), 0); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		conn, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("its backlog is never full")
}

// Only a refused connection means that no process listens any more.
func TestASocketInUseStays(t *testing.T) {
	for name, occupy := range map[string]func(t *testing.T, path string){
		"its backlog is full": full,
		"of datagrams":        func(t *testing.T, path string) { bind(t, syscall.SOCK_DGRAM, path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			occupy(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if l, err := api.ListenUnix(t.Context(), path); err == nil {
				_ = l.Close()
				t.Error("it is taken over")
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is gone: %v", err)
			}
		})
	}
}

func TestAStoppedAgentLeavesItsSuccessorsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the successor's socket is gone: %v", err)
	}
	_ = conn.Close()
	if err := successor.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its own stays: %v", err)
	}
}
