package phrase

import (
	"cmp"
	"fmt"
)

// Process names a process by what it calls itself and by its number, such as
// echo[4711]. A PID of 0 is not known; with no name either, it returns "".
func Process(comm string, pid uint32) string {
	if pid == 0 {
		return comm
	}
	return fmt.Sprintf("%s[%d]", cmp.Or(comm, "?"), pid)
}
