// Package rundir gives each run a directory of its own, and removes what a
// crashed run left. A run holds a lock on its directory for as long as it
// lives; the kernel drops it, however the run dies.
package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

// prefix starts the name of every run's directory; the run's process id
// follows it.
const prefix = "tcpstuck-run-"

// NamespaceDir is the directory within a run's that holds the mounts of its
// network namespaces.
const NamespaceDir = "netns"

// Dir is the directory of a living run.
type Dir struct {
	Path string
	lock int // a plain descriptor: a file would drop the lock when it is collected
}

// New makes a directory in base (usually /run). Only root may look into it.
func New(base string) (*Dir, error) {
	// It gets its name when it is locked, so that no cleaner ever sees a
	// living run's directory without a lock.
	hidden, err := os.MkdirTemp(base, "."+prefix)
	if err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	d := &Dir{Path: hidden}
	if d.lock, err = lock(hidden); err != nil {
		return nil, errors.Join(err, os.Remove(hidden))
	}
	name := filepath.Join(base, prefix+strconv.Itoa(os.Getpid())+filepath.Base(hidden)[len(prefix):])
	if err := os.Rename(hidden, name); err != nil {
		return nil, errors.Join(fmt.Errorf("name run directory: %w", err), os.Remove(hidden))
	}
	d.Path = name
	if err := os.Mkdir(filepath.Join(name, NamespaceDir), 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("make run directory: %w", err), d.Remove())
	}
	return d, nil
}

// Remove removes the directory with all that is in it.
func (d *Dir) Remove() error {
	defer unix.Close(d.lock)
	return remove(d.Path)
}

// Clean removes what crashed runs left in base and returns their
// directories. Directories of living runs stay.
func Clean(base string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(base, prefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("look for crashed runs: %w", err)
	}
	var removed []string
	var failed error
	for _, dir := range found {
		l, err := lock(dir)
		if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, os.ErrNotExist) {
			continue // it lives, or another program was faster
		}
		if err == nil {
			err = remove(dir)
			unix.Close(l)
			removed = append(removed, dir)
		}
		failed = errors.Join(failed, err)
	}
	return removed, failed
}

// lock locks a directory and returns the descriptor that holds the lock. No
// program that is started inherits it.
func lock(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open run directory %s: %w", dir, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("lock %s: %w", dir, err)
	}
	return fd, nil
}

func remove(dir string) error {
	mounts, err := filepath.Glob(filepath.Join(dir, NamespaceDir, "*"))
	if err != nil {
		return fmt.Errorf("list network namespaces: %w", err)
	}
	for _, m := range mounts {
		err = errors.Join(err, namespace.Release(m))
	}
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove run directory: %w", err)
	}
	return nil
}
