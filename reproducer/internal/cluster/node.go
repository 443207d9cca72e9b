package cluster

import (
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
)

// Node is a node of the cluster.
type Node struct {
	Machine
	Block netip.Prefix // the addresses of its pods

	allocated int  // addresses of Block that were given out
	lost      bool // its kubelet no longer reports
}

// LoseNode records in the API that a node's kubelet no longer reports, and evicts
// its pods: they are terminating, and no kubelet ends them.
func (c *Cluster) LoseNode(n *Node) error {
	now := time.Now()
	c.mu.Lock()
	n.lost = true
	for _, p := range c.pods {
		if p.Node == n {
			p.deleting = &now
		}
	}
	c.mu.Unlock()
	c.report("the API says that %s is not ready, and that its pods are terminating", n.Name)
	return c.publish()
}

// routeNode gives a node the routes that Calico's agent keeps: the other nodes' blocks, and
// a blackhole for the rest of its own.
func (w *network) routeNode(n *Node) error {
	return n.NS.Do(func() error {
		link, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		if err := routeVia(w.everywhere(), w.Internet.Addr, link); err != nil {
			return err
		}
		for _, other := range w.Nodes {
			if other == n {
				continue
			}
			if err := routeVia(other.Block, other.Addr, link); err != nil {
				return err
			}
		}
		return blackhole(n.Block)
	})
}

// routeInternet adds routes to the pods in the calling thread's namespace, which
// is the world outside.
func (w *network) routeInternet() error {
	link, err := netlink.LinkByName(uplink)
	if err != nil {
		return err
	}
	for _, n := range w.Nodes {
		if err := routeVia(n.Block, n.Addr, link); err != nil {
			return err
		}
	}
	return nil
}
