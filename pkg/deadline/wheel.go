package deadline

// levels is LVL_DEPTH of kernel/time/timer.c with HZ above 100.
const levels = 9

// Wheel returns the jiffy in which a timer that is armed at now for expires
// fires: the timer wheel rounds up, by more the further away it is
// (kernel/time/timer.c, calc_wheel_index).
func Wheel(now, expires uint64) uint64 {
	if int64(expires-now) <= 0 {
		return now + 1
	}
	for level := range levels {
		if expires-now < 63<<(3*level) {
			return bucket(expires, level)
		}
	}
	return bucket(expires, levels-1)
}

// bucket returns the jiffy in which a timer that waits at a level of the wheel
// fires.
func bucket(expires uint64, level int) uint64 {
	granularity := uint64(1) << (3 * level)
	return (expires + granularity) &^ (granularity - 1)
}
