package door

import (
	"fmt"
	"os"
	"syscall"
)

// reserve is how many descriptors stay for the agent's own work, beside those that it
// holds already: iterators, netlink sockets, files of /proc, an API. Each door needs
// one more, since it accepts before it closes.
const reserve = 48

// fewestPlaces is the smallest useful number of connections of a door.
const fewestPlaces = 4

// Places returns how many connections each of a number of doors may hold, so that the
// agent has the descriptors that it needs, however many callers come: MostPlaces, or
// fewer if the process may not have that many. If they are too few for anything, the
// error says what to do. It counts the descriptors that the process holds now, so
// the agent first opens what it keeps open.
func Places(doors int) (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of descriptors: %w", err)
	}
	held, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, fmt.Errorf("count descriptors: %w", err)
	}
	return share(limit.Cur, len(held), doors)
}

func share(limit uint64, held, doors int) (int, error) {
	need := held + reserve + fewestPlaces*doors
	if limit < uint64(need) {
		return 0, fmt.Errorf("the process may have %d descriptors and needs %d: raise its limit (ulimit -n, LimitNOFILE=)", limit, need)
	}
	free := (limit - uint64(held+reserve)) / uint64(max(doors, 1))
	return int(min(free, MostPlaces)), nil
}
