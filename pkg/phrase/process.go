package phrase

import (
	"cmp"
	"strconv"
)

// Process names a process by its own name and its PID, such as echo[4711]. A PID of 0
// is not known; without a name, too, it returns "".
func Process(comm string, pid uint32) string {
	if pid == 0 {
		return comm
	}
	return cmp.Or(comm, "?") + "[" + strconv.FormatUint(uint64(pid), 10) + "]"
}
