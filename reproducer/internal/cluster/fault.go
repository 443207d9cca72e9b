package cluster

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// faults are what can happen to a network.
type faults struct{ net *network }

// Cut takes a machine off the network: it silently drops all packets in both directions.
// The link stays up, so that the other machines keep its neighbour entry and their packets
// really leave them. A link that is down would keep packets in their queues, and the
// kernel would not call that a retransmission.
func (f *faults) Cut(m Machine) error {
	f.net.report("%s is cut off", m.Name)
	return weather(m, nil)
}

// Lose drops the given percentage of what arrives at a machine.
func (f *faults) Lose(m Machine, percent uint32) error {
	f.net.report("%d %% of what is sent to %s is lost", percent, m.Name)
	return weather(m, chance(percent))
}

// Restore ends Cut and Lose.
func (f *faults) Restore(m Machine) error {
	f.net.report("%s is back", m.Name)
	return unfilter(m.NS, weatherTable, nftables.TableFamilyINet)
}

// Unplug takes a machine out of the switch. The other machines lose their neighbour
// entries for it at once, as if these had aged, and get no answer when they ask again.
func (f *faults) Unplug(m Machine) error {
	f.net.report("%s has left the switch", m.Name)
	err := f.net.fabric.Do(func() error {
		port, err := netlink.LinkByName(m.Name)
		if err != nil {
			return err
		}
		return netlink.LinkSetNoMaster(port)
	})
	if err != nil {
		return fmt.Errorf("unplug %s: %w", m.Name, err)
	}
	for _, n := range f.net.Nodes {
		if n.Name == m.Name {
			continue
		}
		if err := n.NS.Do(func() error { return forgetNeighbour(m.Addr) }); err != nil {
			return fmt.Errorf("forget %s on %s: %w", m.Name, n.Name, err)
		}
	}
	return nil
}

// forgetNeighbour removes the neighbour entry of the calling thread's namespace for an
// address; it is no error if there is none.
func forgetNeighbour(a netip.Addr) error {
	link, err := netlink.LinkByName(uplink)
	if err != nil {
		return err
	}
	err = netlink.NeighDel(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: a.AsSlice()})
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// Blackhole makes a node drop packets to another node's pods, because it has no route.
func (f *faults) Blackhole(n *Node, pods netip.Prefix) error {
	f.net.report("the route of %s to %s is a blackhole", n.Name, pods)
	err := n.NS.Do(func() error {
		return errors.Join(unroute(pods), blackhole(pods))
	})
	if err != nil {
		return fmt.Errorf("blackhole %s on %s: %w", pods, n.Name, err)
	}
	return nil
}

const weatherTable = "weather"

// weather drops packets before anything else sees them: of arriving packets the share that
// match chooses, or all packets in both directions if match is nil.
func weather(m Machine, match []expr.Any) error {
	err := m.NS.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		t := replaceTable(conn, weatherTable, nftables.TableFamilyINet)
		in := addChain(conn, t, "in", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw)
		addRule(conn, in, from(uplink), match, drop())
		if match == nil {
			out := addChain(conn, t, "out", nftables.ChainTypeFilter, nftables.ChainHookPostrouting, nftables.ChainPriorityConntrackHelper)
			addRule(conn, out, to(uplink), drop())
		}
		return conn.Flush()
	})
	if err != nil {
		return fmt.Errorf("drop packets at %s: %w", m.Name, err)
	}
	return nil
}
