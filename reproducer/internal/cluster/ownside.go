package cluster

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownSide is what can happen on a connection's own side: in its pod, or on its node.
type ownSide struct{ net *network }

// PullCable takes the carrier from a machine's link to the others.
func (f *ownSide) PullCable(m Machine) error {
	f.net.report("the cable of %s is pulled", m.Name)
	if err := f.net.fabric.Do(func() error { return down(m.Name) }); err != nil {
		return fmt.Errorf("pull the cable of %s: %w", m.Name, err)
	}
	return nil
}

// TakeDown sets a pod's own interface down.
func (f *ownSide) TakeDown(p *Pod) error {
	f.net.report("the interface of pod %s goes down", p.Name)
	if err := p.NS.Do(func() error { return down(uplink) }); err != nil {
		return fmt.Errorf("take down the interface of pod %s: %w", p.Name, err)
	}
	return nil
}

// refusing is the table of RefuseSource.
const refusing = 7000

// RefuseSource makes a policy rule of a node's routing lead what comes from an address to a
// blackhole.
func (f *ownSide) RefuseSource(n *Node, from netip.Addr) error {
	f.net.report("a routing policy of %s refuses what comes from %s", n.Name, from)
	err := n.NS.Do(func() error {
		rule := netlink.NewRule()
		rule.Src, rule.Table, rule.Priority = ipNet(single(from)), refusing, 1000
		if from.Is6() {
			rule.Family = netlink.FAMILY_V6
		}
		hole := &netlink.Route{Dst: ipNet(f.net.everywhere()), Type: unix.RTN_BLACKHOLE, Table: refusing}
		if err := netlink.RouteAdd(hole); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		return netlink.RuleAdd(rule)
	})
	if err != nil {
		return fmt.Errorf("refuse what %s passes on from %s: %w", n.Name, from, err)
	}
	return nil
}

// Spare returns an address of a node's own network that nobody has, by a number below 100.
func (w *network) Spare(number int) netip.Addr { return host(w.plan.underlay, 150+number) }

// LoseAddress takes an address from a node.
func (f *ownSide) LoseAddress(n *Node, a netip.Addr) error {
	f.net.report("%s loses the address %s", n.Name, a)
	err := n.NS.Do(func() error {
		link, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		return netlink.AddrDel(link, &netlink.Addr{IPNet: ipNet(single(a))})
	})
	if err != nil {
		return fmt.Errorf("take %s from %s: %w", a, n.Name, err)
	}
	return nil
}
