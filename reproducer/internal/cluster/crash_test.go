package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

// victimBase, when it is in the environment, makes the test program a run
// that waits in the middle for its SIGKILL.
const victimBase = "TCPSTUCK_TEST_VICTIM_BASE"

// victim runs a cluster with a pair in it, prints the pids of its programs
// and waits.
func victim(base string) error {
	dir, err := rundir.New(base)
	if err != nil {
		return err
	}
	c, err := cluster.New(cluster.Config{Dir: dir.Path, Family: cluster.IPv4, Echo: echoProgram, Report: func(string, ...any) {}})
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"server"}, {"client", "--server", "192.168.136.2:8000"}} {
		p, err := c.StartPod(context.Background(), cluster.PodSpec{Workload: args[0], Node: "node-b", Args: args})
		if err != nil {
			return err
		}
		fmt.Println(p.Echo.PID())
	}
	runtime.GC() // a run's lock must not depend on who still refers to it
	runtime.GC()
	fmt.Println("ready")
	select {}
}

func TestAKilledRunIsRemoved(t *testing.T) {
	privtest.Require(t)
	base := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimBase+"="+base, "TCPSTUCK_TEST_ECHO="+echoProgram)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	t.Cleanup(func() { // also when the test has failed
		_ = cmd.Process.Kill()
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if _, err := rundir.Clean(base); err != nil {
			t.Error(err)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("the run started %d programs, want 2", len(pids))
	}

	if removed, err := rundir.Clean(base); err != nil || len(removed) > 0 {
		t.Fatalf("a living run was removed: %s, %v", removed, err)
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Errorf("program %d does not run", pid)
		}
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	for _, pid := range pids {
		for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("program %d has outlived the run that started it", pid)
			}
		}
	}
	if n := mountsIn(t, base); n != 6 { // fabric, internet, 2 nodes, 2 pods
		t.Errorf("the killed run left %d network namespaces, want 6: the test has nothing to prove", n)
	}
	removed, err := rundir.Clean(base)
	if err != nil || len(removed) != 1 {
		t.Errorf("removed %s, %v; want the killed run", removed, err)
	}
	if n := mountsIn(t, base); n != 0 {
		t.Errorf("%d network namespaces are left", n)
	}
	if left, _ := filepath.Glob(filepath.Join(base, "*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func mountsIn(t *testing.T, dir string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), " "+dir+"/")
}
