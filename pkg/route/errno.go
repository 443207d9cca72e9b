package route

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// refusals are the errors of a route lookup without a usable route, and the route
// types behind them (fib_props of net/ipv4/fib_semantics.c and net/ipv6/route.c).
var refusals = []struct {
	errno unix.Errno
	kind  string // empty: no route matches
}{
	{unix.EINVAL, "blackhole"},
	{unix.EHOSTUNREACH, "unreachable"},
	{unix.EACCES, "prohibit"},
	{unix.ENETUNREACH, ""},
}

// refusal returns the errno's name and the type of the route behind it, and whether
// the routing table answers with err.
func refusal(err error) (name, kind string, ok bool) {
	for _, r := range refusals {
		if errors.Is(err, r.errno) {
			return unix.ErrnoName(r.errno), r.kind, true
		}
	}
	return "", "", false
}

// kinds are the route types' names as ip(8) prints them.
var kinds = map[int]string{
	unix.RTN_UNICAST:     "unicast",
	unix.RTN_LOCAL:       "local",
	unix.RTN_BROADCAST:   "broadcast",
	unix.RTN_ANYCAST:     "anycast",
	unix.RTN_MULTICAST:   "multicast",
	unix.RTN_BLACKHOLE:   "blackhole",
	unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_PROHIBIT:    "prohibit",
	unix.RTN_THROW:       "throw",
}

// neighbours are the states of a neighbour entry as ip(8) prints them. An
// entry is in one at a time.
var neighbours = map[int]string{
	netlink.NUD_INCOMPLETE: "INCOMPLETE",
	netlink.NUD_REACHABLE:  "REACHABLE",
	netlink.NUD_STALE:      "STALE",
	netlink.NUD_DELAY:      "DELAY",
	netlink.NUD_PROBE:      "PROBE",
	netlink.NUD_FAILED:     "FAILED",
	netlink.NUD_NOARP:      "NOARP",
	netlink.NUD_PERMANENT:  "PERMANENT",
}
