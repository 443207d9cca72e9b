// Package namespace makes network namespaces and runs code and processes in
// them. Nothing in it touches the namespace of the process itself.
package namespace

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// errClosed is returned for work in a namespace that was closed.
var errClosed = errors.New("network namespace is closed")

// Namespace is a network namespace with an OS thread of its own that stays in it. It is
// safe for concurrent use; work in it is done one after the other.
type Namespace struct {
	path string
	work chan func()
	quit chan struct{}
	done chan struct{} // the thread has left
	once sync.Once
}

// New makes a network namespace with loopback up, forwarding off and cubic or reno as
// its congestion control, and mounts it at path, a file that must not exist.
func New(path string) (*Namespace, error) {
	n := &Namespace{path: path, work: make(chan func()), quit: make(chan struct{}), done: make(chan struct{})}
	ready := make(chan error)
	go n.serve(ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("make network namespace %s: %w", path, err)
	}
	if err := n.Do(prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare network namespace %s: %w", path, err), n.Close())
	}
	return n, nil
}

// serve works in the namespace until it is closed. The thread stays locked,
// so that it ends with the goroutine and no other work ever runs on it.
func (n *Namespace) serve(ready chan<- error) {
	defer close(n.done)
	runtime.LockOSThread()
	if err := enter(n.path); err != nil {
		ready <- err
		return
	}
	ready <- nil
	for {
		select {
		case f := <-n.work:
			f()
		case <-n.quit:
			return
		}
	}
}

// enter puts the thread into a new namespace and mounts it at path.
func enter(path string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	file.Close()
	return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
}

// Path returns the file that the namespace is mounted at.
func (n *Namespace) Path() string { return n.path }

// Do calls f on a thread in the namespace and returns its error.
func (n *Namespace) Do(f func() error) error {
	result := make(chan error, 1)
	select {
	case n.work <- func() { result <- f() }:
		return <-result
	case <-n.done:
		return fmt.Errorf("%s: %w", n.path, errClosed)
	}
}

// Close releases the namespace, which goes when its last process has gone.
func (n *Namespace) Close() (err error) {
	n.once.Do(func() {
		close(n.quit)
		<-n.done
		err = Release(n.path)
	})
	return err
}

// Release unmounts the namespace at path and removes the file. A file that is no mount is
// only removed.
func Release(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove network namespace: %w", err)
	}
	return nil
}

// Sysctl sets a setting under /proc/sys/net of the calling thread's network
// namespace, e.g. "ipv4/ip_forward".
func Sysctl(name, value string) error {
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		return fmt.Errorf("set net.%s: %w", strings.ReplaceAll(name, "/", "."), err)
	}
	return nil
}
