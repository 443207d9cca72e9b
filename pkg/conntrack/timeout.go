package conntrack

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// established is the time-out of an established connection whose data is acknowledged, in
// seconds, of the reader's network namespace. kube-proxy sets it to a day.
const established = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"

// Longest returns the time-out that an entry has right after a packet of an established
// connection, if the entry has seen all data acknowledged; 0: not known. With data that is not
// acknowledged, the time-out is at most nf_conntrack_tcp_timeout_unacknowledged, 300 s
// (nf_conntrack_tcp_packet).
func (t *Table) Longest() time.Duration {
	text, err := os.ReadFile(established)
	if err != nil {
		return 0
	}
	seconds, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
