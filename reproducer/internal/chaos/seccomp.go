package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Trapped starts a program whose recvmsg(2) asks this package first. Of the agent's
// sockets only those to conntrack use that call. It returns only if it fails.
func Trapped(argv []string) error {
	// Load the call's number; ask if it is recvmsg, else allow.
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_RECVMSG},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// The program inherits the listener, and trap finds it there.
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("install the filter: %w", errno)
	}
	if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
		return fmt.Errorf("keep the filter's listener: %w", err)
	}
	return fmt.Errorf("start %s: %w", argv[0], unix.Exec(argv[0], argv, os.Environ()))
}

// trap decides what a trapped program's recvmsg returns.
type trap struct {
	listener int
	errno    atomic.Int32 // 0: the call continues as usual
	hits     atomic.Int64 // calls that failed because of it
	done     chan struct{}
}

// openTrap finds the listener of a trapped program and begins to decide.
func openTrap(ctx context.Context, pid int) (*trap, error) {
	t := &trap{listener: -1, done: make(chan struct{})}
	err := await(ctx, func() (bool, error) {
		fd, found := listenerOf(pid)
		if !found {
			return false, nil
		}
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return false, err
		}
		defer unix.Close(pidfd)
		t.listener, err = unix.PidfdGetfd(pidfd, fd, 0)
		return err == nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("find the filter's listener: %w", err)
	}
	go t.serve()
	return t, nil
}

func listenerOf(pid int) (fd int, found bool) {
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, false
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "anon_inode:seccomp notify" {
			fd, err := strconv.Atoi(filepath.Base(link))
			return fd, err == nil
		}
	}
	return 0, false
}

// The messages of <linux/seccomp.h>; seccomp_data is not read.
type (
	seccompNotif struct {
		id         uint64
		pid, flags uint32
		data       [64]byte
	}
	seccompAnswer struct {
		id    uint64
		val   int64
		errno int32
		flags uint32
	}
)

// The requests of <linux/seccomp.h>, in the encoding of every architecture but a few
// old ones.
const (
	notifRecv = 0xc0502100
	notifSend = 0xc0182101
	goOn      = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// serve answers until the program has ended.
func (t *trap) serve() {
	defer close(t.done)
	for {
		poll := []unix.PollFd{{Fd: int32(t.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) || poll[0].Revents&unix.POLLHUP != 0 {
			unix.Close(t.listener)
			return
		}
		var asked seccompNotif
		if !ioctl(t.listener, notifRecv, unsafe.Pointer(&asked)) {
			continue // the caller was interrupted
		}
		answer := seccompAnswer{id: asked.id, flags: goOn}
		if errno := t.errno.Load(); errno != 0 {
			answer.errno, answer.flags = -errno, 0
			t.hits.Add(1)
		}
		ioctl(t.listener, notifSend, unsafe.Pointer(&answer))
	}
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) bool {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno == 0
}

// fail makes every call fail from now on; 0: none.
func (t *trap) fail(errno syscall.Errno) { t.errno.Store(int32(errno)) }
