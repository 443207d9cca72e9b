package budget

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns what work takes of a core (CLOCK_THREAD_CPUTIME_ID), in the
// kernel and outside: not how long it lasts, which on a busy node is mostly
// waiting for a core. The calling goroutine alone must do the work.
func cpuTime(work func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	work()
	return threadTime() - began
}

// threadTime is the CPU time of the calling thread. The clock cannot fail: it
// is there since Linux 2.6.12.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}
