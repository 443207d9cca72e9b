package namespace

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// prepare gives the calling thread's new namespace what every host has. The
// settings that a new namespace inherits are pinned, so that a run does not
// depend on the machine.
func prepare() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set loopback up: %w", err)
	}
	for _, s := range [][2]string{
		{"ipv4/conf/all/rp_filter", "0"},
		{"ipv4/conf/default/rp_filter", "0"},
		{"ipv6/conf/all/disable_ipv6", "0"},
		{"ipv6/conf/default/disable_ipv6", "0"},
		// An address that is still tentative cannot be connected from.
		{"ipv6/conf/default/accept_dad", "0"},
		{"ipv6/conf/default/dad_transmits", "0"},
		{"ipv6/conf/default/accept_ra", "0"},
		{"ipv6/conf/default/router_solicitations", "0"},
		// Each of many connections has its answer from a router.
		{"ipv4/icmp_ratelimit", "0"},
		{"ipv6/icmp/ratelimit", "0"},
	} {
		if err := Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	return pinCongestionControl()
}

// pinCongestionControl sets cubic or, if the machine's administrator does not allow that to
// other namespaces, reno, which every kernel allows.
func pinCongestionControl() error {
	err := Sysctl("ipv4/tcp_congestion_control", "cubic")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOENT) {
		err = Sysctl("ipv4/tcp_congestion_control", "reno")
	}
	return err
}
