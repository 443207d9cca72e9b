package tracer

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// clock turns the kernel's clocks into times of Go. Each use anchors it again,
// so that a step of the wall clock moves what is shown, never an age.
type clock struct {
	wall        time.Time     // now, with Go's monotonic reading
	monotonicNS uint64        // the same moment on CLOCK_MONOTONIC
	tick        time.Duration // one jiffy
}

// jiffy returns the length of a jiffy: the resolution of the coarse clocks is
// one timer tick (kernel/time/posix-timers.c, KTIME_LOW_RES).
func jiffy() (time.Duration, error) {
	var res unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &res); err != nil {
		return 0, fmt.Errorf("read the resolution of CLOCK_MONOTONIC_COARSE: %w", err)
	}
	tick := time.Duration(res.Nano())
	if tick < 500*time.Microsecond || tick > 20*time.Millisecond {
		return 0, fmt.Errorf("a timer tick of %v is not one that Linux has", tick)
	}
	return tick, nil
}

// now anchors a clock at this moment.
func now(tick time.Duration) clock {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail: the clock exists on every Linux
	return clock{wall: time.Now(), monotonicNS: uint64(ts.Nano()), tick: tick}
}

// at returns the time of a CLOCK_MONOTONIC stamp.
func (c clock) at(ns uint64) time.Time {
	return c.wall.Add(time.Duration(int64(ns - c.monotonicNS)))
}

// jiffies returns n jiffies as a duration; n may be negative.
func (c clock) jiffies(n int64) time.Duration { return time.Duration(n) * c.tick }
