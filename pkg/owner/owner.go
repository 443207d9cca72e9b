// Package owner tells where a process runs: its name, and the container and
// the pod that its control group belongs to. It reads /proc and nothing else.
package owner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// ErrGone is returned for a process that does not exist, or no longer.
var ErrGone = errors.New("the process is gone")

// Both files are short; the limits only bound what a broken /proc can cost.
const (
	commLimit   = 64       // bytes; the kernel's TASK_COMM_LEN is 16
	cgroupLimit = 64 << 10 // bytes; a line per hierarchy, paths up to PATH_MAX
)

// Reader reads owners from a /proc file system. It keeps nothing, so it may be
// used from any goroutine.
type Reader struct {
	proc string
}

// New returns a Reader of the /proc file system mounted at proc, usually
// "/proc". Process ids are those of the PID namespace that it was mounted in.
func New(proc string) *Reader { return &Reader{proc: proc} }

// Lookup returns what is known of the process. Name and control group are
// those of one process: an id that is given to another one in between makes it
// ErrGone, never a mixture. A caller that learned the id earlier compares Comm
// to tell whether it is still the same process.
//
// A process outside any container, or whose control group is hidden by a
// control group namespace, has an Owner without container and pod.
func (r *Reader) Lookup(pid uint32) (flow.Owner, error) {
	o, err := r.lookup(strconv.FormatUint(uint64(pid), 10))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		err = ErrGone
	}
	if err != nil {
		return flow.Owner{}, fmt.Errorf("look up owner %d: %w", pid, err)
	}
	o.PID = pid
	return o, nil
}

func (r *Reader) lookup(pid string) (flow.Owner, error) {
	// A /proc/PID directory that is open stays that of its process.
	dir, err := os.OpenRoot(filepath.Join(r.proc, pid))
	if err != nil {
		return flow.Owner{}, err
	}
	defer dir.Close()
	comm, err := read(dir, "comm", commLimit)
	if err != nil {
		return flow.Owner{}, err
	}
	cgroup, err := read(dir, "cgroup", cgroupLimit)
	if err != nil {
		return flow.Owner{}, err
	}
	at := parseCgroup(cgroup)
	return flow.Owner{Comm: printable(comm), Container: at.container, PodUID: at.podUID}, nil
}

func read(dir *os.Root, name string, limit int64) (string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit))
	return string(b), err
}

// printable makes a process name safe for a terminal: a process chooses its
// name's bytes freely.
func printable(comm string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, strings.TrimSuffix(comm, "\n"))
}
