package cluster

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/vishvananda/netlink"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

const (
	bridge = "br0"  // joins the machines, in the fabric's namespace
	uplink = "eth0" // a machine's or a pod's link to the rest
)

// Machine is plugged into the fabric: a node, or the world outside.
type Machine struct {
	Name string
	Addr netip.Addr // on the underlay
	NS   *namespace.Namespace
}

// network is the machines and what joins them.
type network struct {
	Nodes    []*Node
	Internet Machine // the nodes' way out, and the hosts beyond it

	dir        string
	plan       plan
	report     func(string, ...any)
	fabric     *namespace.Namespace
	namespaces []*namespace.Namespace
}

// newNamespace makes a namespace that Close releases.
func (w *network) newNamespace(name string) (*namespace.Namespace, error) {
	ns, err := namespace.New(filepath.Join(w.dir, rundir.NamespaceDir, name))
	if err != nil {
		return nil, err
	}
	w.namespaces = append(w.namespaces, ns)
	return ns, nil
}

// buildFabric makes the switch between the machines: a namespace with a
// bridge in it.
func (w *network) buildFabric() error {
	ns, err := w.newNamespace("fabric")
	if err != nil {
		return err
	}
	w.fabric = ns
	return ns.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = bridge
		snooping := false // it would hold back neighbour discovery
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}); err != nil {
			return fmt.Errorf("make bridge: %w", err)
		}
		_, err := up(bridge)
		return err
	})
}

// newMachine makes a machine that forwards, and plugs it into the fabric.
func (w *network) newMachine(name string, addr netip.Addr) (Machine, error) {
	ns, err := w.newNamespace(name)
	if err != nil {
		return Machine{}, err
	}
	if err := w.fabric.Do(func() error { return plug(name, ns) }); err != nil {
		return Machine{}, fmt.Errorf("plug %s into the fabric: %w", name, err)
	}
	err = ns.Do(func() error {
		for _, s := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := namespace.Sysctl(s, "1"); err != nil {
				return err
			}
		}
		_, err := up(uplink, netip.PrefixFrom(addr, w.plan.underlay.Bits()))
		return err
	})
	if err != nil {
		return Machine{}, fmt.Errorf("configure %s: %w", name, err)
	}
	return Machine{Name: name, Addr: addr, NS: ns}, nil
}

// plug makes the link between the bridge and a machine.
func plug(name string, ns *namespace.Namespace) error {
	if err := connect(name, uplink, ns, nil); err != nil {
		return err
	}
	port, err := up(name)
	if err != nil {
		return err
	}
	br, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find bridge: %w", err)
	}
	if err := netlink.LinkSetMaster(port, br); err != nil {
		return fmt.Errorf("join bridge: %w", err)
	}
	return nil
}
