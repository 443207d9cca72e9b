package budget

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time of work (CLOCK_THREAD_CPUTIME_ID), in the kernel and
// outside. On a busy node work lasts longer, mostly waiting for a core. Only the
// calling goroutine may do the work.
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
