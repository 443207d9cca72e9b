package owner

import (
	"strconv"
	"strings"
)

// userLine begins the line of /proc/PID/status that has the user ids: real,
// effective, saved, and that of the file system (proc_pid_status(5)).
const userLine = "\nUid:\t"

// parseUser returns the real user id of a process; empty: the text has none. A
// process needs CAP_SETUID to change it. The effective one changes when the
// process executes a setuid program, which needs no rights.
//
// The name that a process chose stands further up, and the kernel escapes its
// line ends. The kernel alone writes what follows, so the last such line is its
// own.
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
