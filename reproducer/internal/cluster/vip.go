package cluster

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// AddVIP gives a Service the cluster's virtual IP and returns what clients
// outside connect to. No node announces it yet.
func (c *Cluster) AddVIP(s *Service) (string, error) {
	c.mu.Lock()
	s.VIP = c.plan.vip
	c.mu.Unlock()
	c.report("service %s has the virtual IP %s", s.Name, s.VIP)
	return netip.AddrPortFrom(s.VIP, Port).String(), c.publish()
}

// MoveVIP makes a node announce the virtual IP: the world outside then sends its packets
// there.
func (w *network) MoveVIP(n *Node) error {
	w.report("the virtual IP is announced by %s", n.Name)
	vip := single(w.plan.vip)
	err := w.Internet.NS.Do(func() error {
		link, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		return errors.Join(unroute(vip), routeVia(vip, n.Addr, link))
	})
	if err != nil {
		return fmt.Errorf("move the virtual IP to %s: %w", n.Name, err)
	}
	return nil
}
