package tracer

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

// name has this process call itself something until the test ends.
func name(t *testing.T, comm string) {
	t.Helper()
	before, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile("/proc/self/comm", bytes.TrimSpace(before), 0) })
	if err := os.WriteFile("/proc/self/comm", []byte(comm), 0); err != nil {
		t.Fatal(err)
	}
}

// isThisProcess holds what the kernel side says to what /proc says.
func isThisProcess(t *testing.T, how string, s flow.Socket, comm string) {
	t.Helper()
	if int(s.PID) != os.Getpid() || s.Comm != comm {
		t.Errorf("%s: process %d %q, want %d %q", how, s.PID, s.Comm, os.Getpid(), comm)
	}
	r := owner.New("/proc")
	if _, err := r.Lookup(s.Process()); err != nil {
		t.Errorf("%s: %v", how, err)
	}
	other := s.Process()
	other.Started += 20 * time.Millisecond
	if _, err := r.Lookup(other); !errors.Is(err, owner.ErrGone) {
		t.Errorf("%s: one that started 20 ms later: %v, want ErrGone", how, err)
	}
}

// TestProcessesAreThoseOfProc: PID, start time and name, whatever the name is.
func TestProcessesAreThoseOfProc(t *testing.T) {
	tr := watch(t, nettest.Loopback(t))
	name(t, "bad\x01\u202eproc\xff")
	const shown = "bad??proc?"
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	isThisProcess(t, "audit", audited(t, tr, cookie(t, client)).Socket, shown)
	nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	id := next(t, tr).Suspect.ID
	if _, err := tr.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	isThisProcess(t, "file scan", awaitTimeouts(t, tr, id, 1), shown)
}

// offMain runs f on a thread that is not the main one.
func offMain(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread is not used again
		if unix.Gettid() == os.Getpid() {
			offMain(f)
			return
		}
		f()
	}()
	<-done
}

// The process that closes a socket with unread bytes is its owner, which no file
// scan has seen: the whole process, not the thread that did it.
func TestWhoClosesIsAProcess(t *testing.T) {
	tr := watch(t, nettest.Loopback(t))
	name(t, "closer")
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	ping(t, client, server) // which the server does not read
	nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if s := next(t, tr).Suspect; s == nil || s.PID != 0 {
		t.Fatalf("%+v, want a suspect without an owner", s)
	}
	offMain(func() {
		_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData("thread\x00"))), 0, 0, 0)
		_ = client.Close()
	})
	e := next(t, tr).End
	if e == nil {
		t.Fatal("no end")
	}
	isThisProcess(t, "close", e.Last, "closer")
}

// TestProcessesInATimeNamespace has /proc show other times than the kernel's.
func TestProcessesInATimeNamespace(t *testing.T) {
	t.Parallel()
	privtest.Require(t)
	cmd := exec.Command("unshare", "--time", "--boottime", "86400", "--fork", os.Args[0], "-test.v", "-test.run=^TestProcessesAreThoseOfProc$")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestProcessesAreThoseOfProc ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// neighbours returns the processes in scope but this one, whose main thread may
// be the one that the test is locked to.
func neighbours(t *testing.T, tr *Tracer) []flow.Resident {
	t.Helper()
	all, err := tr.Residents()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(r flow.Resident) bool { return int(r.PID) == os.Getpid() })
}

func TestResidents(t *testing.T) {
	inum := nettest.Loopback(t)
	tr := open(t, Options{Scope: []uint32{inum}})
	child := exec.Command("sleep", "600") // in the namespace of this thread
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = child.Process.Kill(), child.Wait() })
	all := neighbours(t, tr)
	if len(all) != 1 || int(all[0].PID) != child.Process.Pid || all[0].NetNS != inum {
		t.Fatalf("%+v, want process %d in %d", all, child.Process.Pid, inum)
	}
	if _, err := owner.New("/proc").Lookup(all[0].Process); err != nil {
		t.Error(err)
	}
}

// headless is set for a process that is to go on without its main thread.
const headless = "TCPSTUCK_TEST_HEADLESS"

func init() {
	if os.Getenv(headless) != "" { // an init function runs on the main thread
		go time.Sleep(time.Hour)
		time.Sleep(100 * time.Millisecond) // other threads come up
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	}
}

// A process whose main thread has exited lives on in the others.
func TestResidentsWithoutAMainThread(t *testing.T) {
	inum := nettest.Loopback(t)
	tr := open(t, Options{Scope: []uint32{inum}})
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), headless+"=yes")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = child.Process.Kill(), child.Wait() })
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child.Process.Pid))
		if err == nil && strings.Contains(string(stat), ") Z ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("its main thread lives: %s, %v", stat, err)
		}
	}
	if all := slices.Compact(neighbours(t, tr)); len(all) != 1 || int(all[0].PID) != child.Process.Pid {
		t.Errorf("%+v, want process %d", all, child.Process.Pid)
	}
}

func TestDecodeResident(t *testing.T) {
	r := tcpstuckResident{StartedNs: uint64(time.Hour), Pid: 4711, Netns: 7}
	raw := bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&r)), residentSize))
	got, err := decodeResident(raw)
	if want := (flow.Resident{Process: flow.Process{PID: 4711, Started: time.Hour}, NetNS: 7}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := decodeResident(raw[1:]); !errors.Is(err, errShort) {
		t.Errorf("one byte short: %v", err)
	}
}
