// Package owner says where a process runs: the container and the pod that its
// control group belongs to, or outside pods its user. It also says which pod a
// network namespace belongs to. It reads only /proc.
package owner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var (
	// ErrGone is returned for a process that does not exist any more: its PID may
	// be another one's now.
	ErrGone = errors.New("the process is gone")
	// ErrHidden is returned for a process that exists and that /proc hides from
	// the agent.
	ErrHidden error = hidden{}
)

type hidden struct{}

func (hidden) Error() string {
	return "/proc hides the processes of other users (hidepid), whose containers and pods are not known; mount it with gid= of the agent's group"
}

// Is makes it a kind of fs.ErrPermission.
func (hidden) Is(target error) bool { return target == fs.ErrPermission }

// The files are short; the limits only bound what a broken /proc can cost.
const (
	statLimit   = 4 << 10  // bytes; one line
	cgroupLimit = 64 << 10 // bytes; a line per hierarchy, paths up to PATH_MAX
	statusLimit = 512      // bytes; the user ids end in the first 300
)

// Reader reads owners from a /proc file system. It keeps nothing, so it is safe for
// concurrent use.
type Reader struct {
	proc   string
	offset offset // of the agent's time namespace
}

// New returns a Reader of the /proc file system mounted at proc, usually
// "/proc". Process ids are those of the PID namespace that it was mounted in.
func New(proc string) *Reader {
	return &Reader{proc: proc, offset: bootOffset(proc)}
}

// Lookup returns what is known of the process. All of it is of one process: if the
// PID has a new process, it returns ErrGone, never a mixture.
//
// A process outside any container, or whose control group is hidden by a
// control group namespace, has an Owner without container and pod.
func (r *Reader) Lookup(p flow.Process) (flow.Owner, error) {
	o, err := r.lookup(p)
	if absent(err) && exists(p.PID) {
		// A new process may have come a moment ago, in place of one that went.
		if o, err = r.lookup(p); absent(err) {
			err = ErrHidden
		}
	}
	switch {
	case absent(err):
		err = ErrGone
	case errors.Is(err, fs.ErrPermission):
		err = ErrHidden
	}
	if err != nil {
		return flow.Owner{}, fmt.Errorf("look up owner %d: %w", p.PID, err)
	}
	return o, nil
}

// Check returns ErrHidden if /proc hides processes: the first process is always
// there, and is not the agent's own.
func (r *Reader) Check() error {
	_, err := os.ReadFile(filepath.Join(r.proc, "1", "stat"))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return ErrHidden
	}
	return fmt.Errorf("look at the first process: %w", err)
}

func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// exists asks the kernel for a process without /proc: a caller that may not
// signal the process learns that it is there.
func exists(pid uint32) bool {
	err := syscall.Kill(int(pid), 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

func (r *Reader) lookup(p flow.Process) (flow.Owner, error) {
	// A /proc/PID directory that is open stays that of its process.
	dir, err := os.OpenRoot(filepath.Join(r.proc, strconv.FormatUint(uint64(p.PID), 10)))
	if err != nil {
		return flow.Owner{}, err
	}
	defer dir.Close()
	stat, err := read(dir, "stat", statLimit)
	if err != nil {
		return flow.Owner{}, err
	}
	started, err := parseStart(stat)
	if err != nil {
		return flow.Owner{}, err
	}
	if started != r.offset.after(p.Started) {
		return flow.Owner{}, ErrGone
	}
	cgroup, err := read(dir, "cgroup", cgroupLimit)
	if err != nil {
		return flow.Owner{}, err
	}
	at := parseCgroup(cgroup)
	o := flow.Owner{Container: at.container, PodUID: at.podUID}
	if o.PodUID != "" {
		return o, nil // its pod says more than its user
	}
	status, err := read(dir, "status", statusLimit)
	if err != nil {
		return flow.Owner{}, err
	}
	o.User = parseUser(status)
	return o, nil
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
