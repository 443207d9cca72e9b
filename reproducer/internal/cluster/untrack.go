package cluster

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// untrack deletes the conntrack entries of a pod's connections from the
// calling thread's namespace, as Calico's agent does on the pod's own node.
func untrack(pod netip.Addr) error {
	family := netlink.InetFamily(unix.AF_INET)
	if pod.Is6() {
		family = unix.AF_INET6
	}
	var either []netlink.CustomConntrackFilter
	for _, end := range []netlink.ConntrackFilterType{netlink.ConntrackOrigSrcIP, netlink.ConntrackReplySrcIP} {
		f := &netlink.ConntrackFilter{}
		if err := f.AddIP(end, pod.AsSlice()); err != nil {
			return fmt.Errorf("match connections of %s: %w", pod, err)
		}
		either = append(either, f)
	}
	if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, either...); err != nil {
		return fmt.Errorf("delete conntrack entries of %s: %w", pod, err)
	}
	return nil
}
