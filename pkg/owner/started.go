package owner

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every
// architecture that Go has.
const tick = 10 * time.Millisecond

// startField is the number of starttime among the fields of /proc/PID/stat
// that follow the name (proc_pid_stat(5): it is number 22 of all).
const startField = 22 - 3

var errStat = errors.New("/proc/PID/stat has no start time")

// parseStart returns when a process started, in ticks. The name stands in brackets
// and may have any character, brackets and line ends too.
func parseStart(stat string) (uint64, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= startField {
		return 0, errStat
	}
	n, err := strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return 0, errStat
	}
	return n, nil
}

// offset is how far a time namespace's CLOCK_BOOTTIME is ahead of the node's: /proc
// adds it to the times that it shows to a reader there.
type offset time.Duration

// after returns what /proc shows for a time since the node's boot.
func (o offset) after(boot time.Duration) uint64 {
	return uint64((boot + time.Duration(o)) / tick)
}

// bootOffset reads the offset of the agent's time namespace; 0 if there is none
// (before 5.6, or CONFIG_TIME_NS is off).
func bootOffset(proc string) offset {
	file, err := os.ReadFile(filepath.Join(proc, "self", "timens_offsets"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(file)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "boottime" {
			continue
		}
		seconds, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0
		}
		nanoseconds, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return 0
		}
		return offset(time.Duration(seconds)*time.Second + time.Duration(nanoseconds))
	}
	return 0
}
