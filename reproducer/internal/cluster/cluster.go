// Package cluster builds a Kubernetes cluster as the network sees one, out of network
// namespaces: nodes that translate Services in conntrack, pods with links and routes as
// Calico makes them, an outside world, and the API objects in a file. It needs only the
// kernel, and does not touch the namespace that it is started in.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Config is what a cluster is built from.
type Config struct {
	Dir    string // the run's directory (package rundir)
	Family Family
	Echo   string                      // path of the echo program
	Report func(what string, a ...any) // called with what happens, as it happens
	Copy   string                      // a second file for the API objects; empty: none
	Nodes  []string                    // their names; nil: node-a and node-b
}

// Cluster is some nodes and the world outside. Its methods are for one
// goroutine at a time.
type Cluster struct {
	*network
	faults
	ownSide
	*api

	family    Family
	echo      string
	echoes    []*Echo
	outsiders int

	background sync.WaitGroup
	stop       context.CancelFunc // ends the waits of background work
	ctx        context.Context
}

// New builds a cluster without pods.
func New(cfg Config) (*Cluster, error) {
	net := &network{dir: cfg.Dir, plan: planFor(cfg.Family), report: cfg.Report}
	c := &Cluster{
		network: net, faults: faults{net}, ownSide: ownSide{net}, api: &api{net: net, copy: cfg.Copy, started: time.Now()},
		family: cfg.Family, echo: cfg.Echo,
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	names := cfg.Nodes
	if names == nil {
		names = []string{"node-a", "node-b"}
	}
	err := c.build(names)
	if err == nil {
		err = c.publish()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("build cluster: %w", err), c.Close())
	}
	return c, nil
}

func (w *network) build(nodes []string) error {
	if err := w.buildFabric(); err != nil {
		return err
	}
	internet, err := w.newMachine("internet", host(w.plan.underlay, 1))
	if err != nil {
		return err
	}
	w.Internet = internet
	for i, name := range nodes {
		m, err := w.newMachine(name, host(w.plan.underlay, i+2))
		if err != nil {
			return err
		}
		w.Nodes = append(w.Nodes, &Node{Machine: m, Block: w.plan.block(i)})
	}
	for _, n := range w.Nodes {
		if err := w.routeNode(n); err != nil {
			return fmt.Errorf("route %s: %w", n.Name, err)
		}
	}
	if err := w.Internet.NS.Do(w.routeInternet); err != nil {
		return fmt.Errorf("route the internet: %w", err)
	}
	return nil
}

// Node returns a node by its name.
func (w *network) Node(name string) (*Node, error) {
	i := slices.IndexFunc(w.Nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("no node %q", name)
	}
	return w.Nodes[i], nil
}

// StatePath returns the file that holds the cluster's API objects, in a
// directory of its own.
func (a *api) StatePath() string { return filepath.Join(a.net.dir, "cluster", "state.yaml") }

// Namespaces returns the files of a node's network namespace and of its pods'.
func (a *api) Namespaces(n *Node) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	paths := []string{n.NS.Path()}
	for _, p := range a.pods {
		if p.Node == n && p.NS != n.NS {
			paths = append(paths, p.NS.Path())
		}
	}
	return paths
}

// Close ends every process and releases every namespace.
func (c *Cluster) Close() error {
	c.stop()
	c.background.Wait()
	var err error
	for _, e := range c.echoes {
		err = errors.Join(err, e.Kill())
	}
	for _, ns := range slices.Backward(c.namespaces) {
		err = errors.Join(err, ns.Close())
	}
	return err
}

// family4 reports whether packets are IPv4.
func (w *network) family4() bool { return w.plan.underlay.Addr().Is4() }

// everywhere is the default route's destination.
func (w *network) everywhere() netip.Prefix {
	if w.family4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
