package owner

import (
	"strconv"
	"strings"
)

// userLine is how the line of /proc/PID/status begins that has the user ids:
// real, effective, saved, and that of the file system (proc_pid_status(5)).
const userLine = "\nUid:\t"

// parseUser returns the real user id of a process; empty: not told. Only who
// has rights changes it. The effective one is somebody else's once the process
// has executed a setuid program, which anybody may.
//
// What a process calls itself stands further up, with its line ends escaped. All
// that follows are the kernel's own words, so that the last such line is its own.
func parseUser(status string) string {
	at := strings.LastIndex(status, userLine)
	if at < 0 {
		return ""
	}
	user, _, whole := strings.Cut(status[at+len(userLine):], "\t")
	if _, err := strconv.ParseUint(user, 10, 32); err != nil || !whole {
		return ""
	}
	return user
}
