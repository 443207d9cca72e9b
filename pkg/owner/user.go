package owner

import (
	"strconv"
	"strings"
)

// userLine is how the line of /proc/PID/status begins that has the user ids:
// real, effective, saved, and that of the file system (proc_pid_status(5)).
const userLine = "\nUid:\t"

// parseUser returns the real user id of a process; empty: not known. Only a
// privileged process changes it. The effective one is another user's once the
// process has executed a setuid program, which any user may.
//
// The name that a process chose stands further up, with its line ends escaped. All
// lines after it are the kernel's own, so the last such line is the kernel's.
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
