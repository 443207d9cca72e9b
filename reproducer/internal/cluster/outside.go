package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// Host is a host outside the cluster.
type Host struct {
	Name string
	Addr netip.Addr
	Echo *Echo
}

// StartHost runs the echo program on a host outside the cluster, and waits
// until its server listens.
func (c *Cluster) StartHost(ctx context.Context, name string, args []string) (*Host, error) {
	c.outsiders++
	h := &Host{Name: name, Addr: host(c.plan.internet, 9+c.outsiders)}
	err := c.Internet.NS.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(single(h.Addr)), Flags: unix.IFA_F_NODAD}) // usable at once
	})
	if err != nil {
		return nil, fmt.Errorf("add host %s: %w", name, err)
	}
	if slices.Contains(args, "server") { // several hosts share the network
		args = append(slices.Clone(args), "--listen", netip.AddrPortFrom(h.Addr, Port).String())
	}
	if slices.Contains(args, "crowd") {
		args = append(slices.Clone(args), "--source", h.Addr.String())
	}
	if h.Echo, err = c.startEcho(name, c.Internet.NS, c.family, args); err != nil {
		return nil, err
	}
	if slices.Contains(args, "server") {
		if _, err := h.Echo.AwaitKind(ctx, 1, record.Listening); err != nil {
			return nil, err
		}
	}
	c.report("host %s runs outside the cluster at %s", name, h.Addr)
	return h, nil
}
