package namespace_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

// If a shell ends and orphans a process group of its session, the kernel
// continues the processes in it: those that a scenario stopped would run again.
func TestAProcessHasASessionOfItsOwn(t *testing.T) {
	privtest.Require(t)
	n, err := namespace.New(filepath.Join(t.TempDir(), "n"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	p, err := n.Start(namespace.Command{Path: "/bin/sleep", Args: []string{"600"}, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Kill() }()
	if session, err := unix.Getsid(p.PID()); err != nil || session != p.PID() {
		t.Errorf("process %d is in session %d (%v), want its own", p.PID(), session, err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	<-p.Done()
}
