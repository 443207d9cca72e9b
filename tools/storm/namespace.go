package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: it lives as long as a
// thread or a process in it, so that nothing of it outlives a killed run.
type namespace struct {
	file *os.File // of the namespace, for others to find it
	work chan func()
}

// newNamespace makes a namespace and a thread that stays in it.
func newNamespace() (*namespace, error) {
	n := &namespace{work: make(chan func())}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread dies with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.file, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
		for f := range n.work {
			f()
		}
	}()
	if err := <-made; err != nil {
		close(n.work)
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	return n, nil
}

// do calls f on the thread in the namespace.
func (n *namespace) do(f func() error) error {
	result := make(chan error, 1)
	n.work <- func() { result <- f() }
	return <-result
}

// inode returns what /proc calls the namespace.
func (n *namespace) inode() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(n.file.Fd()), &st); err != nil {
		return 0, fmt.Errorf("find network namespace: %w", err)
	}
	return st.Ino, nil
}

// close ends the thread, and with it the processes that it started.
func (n *namespace) close() {
	close(n.work)
	_ = n.file.Close()
}

// sysctl sets a setting below /proc/sys/net of the calling thread's namespace.
func sysctl(name, value string) error {
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		return fmt.Errorf("set net.%s: %w", name, err)
	}
	return nil
}
