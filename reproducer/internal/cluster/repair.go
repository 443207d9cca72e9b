package cluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Socket options of TCP (include/uapi/linux/tcp.h).
const (
	tcpRepair    = unix.TCP_REPAIR
	tcpTimestamp = unix.TCP_TIMESTAMP
)

// wayBack is how far a clock is turned back, in milliseconds: more than a connection's age.
const wayBack = 2_000_000

// TurnBackClock makes the timestamps of a program's connections run backwards: the peer takes
// nothing from it any more (RFC 7323, PAWS), and says so.
func (f *ownSide) TurnBackClock(e *Echo) error {
	f.net.report("the timestamps of %s run backwards", e.name)
	err := eachConnection(e.PID(), func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpRepair, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		now, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, tcpTimestamp)
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpTimestamp, int(uint32(now)-wayBack)&^1) // the lowest bit means microseconds
		}
		return errors.Join(os.NewSyscallError("timestamp", err), os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpRepair, 0)))
	})
	if err != nil {
		return fmt.Errorf("turn back the clock of %s: %w", e.name, err)
	}
	return nil
}

// ShutForWriting says on a program's connections that it will send no more. The program itself
// knows nothing of it, and goes on reading.
func (f *ownSide) ShutForWriting(e *Echo) error {
	f.net.report("the connections of %s are shut for writing", e.name)
	if err := eachConnection(e.PID(), func(fd int) error { return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_WR)) }); err != nil {
		return fmt.Errorf("shut the connections of %s: %w", e.name, err)
	}
	return nil
}

// eachConnection does something to the TCP connections of a process, by descriptors of its own.
func eachConnection(pid int, do func(fd int) error) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(process)
	files, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return err
	}
	for _, file := range files {
		number, err := strconv.Atoi(file.Name())
		if err != nil {
			return err
		}
		if err := onConnection(process, number, do); err != nil {
			return err
		}
	}
	return nil
}

// onConnection leaves out what is no connection, or is closed by now.
func onConnection(process, number int, do func(fd int) error) error {
	fd, err := unix.PidfdGetfd(process, number, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	const established = 1
	if err != nil || info.State != established {
		return nil
	}
	return do(fd)
}
