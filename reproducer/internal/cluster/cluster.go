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

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
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
	Nodes    []*Node
	Internet Machine // the nodes' way out, and the hosts beyond it

	dir        string
	copy       string
	family     Family
	echo       string
	plan       plan
	report     func(string, ...any)
	fabric     *namespace.Namespace
	namespaces []*namespace.Namespace
	echoes     []*Echo
	outsiders  int

	mu      sync.Mutex // guards the contents of the file
	started time.Time
	version int
	pods    []*Pod
	svcs    []*Service
	made    int  // Services so far
	mute    bool // the file is not updated

	background sync.WaitGroup
	stop       context.CancelFunc // ends the waits of background work
	ctx        context.Context
}

// New builds a cluster without pods.
func New(cfg Config) (*Cluster, error) {
	c := &Cluster{
		dir: cfg.Dir, copy: cfg.Copy, family: cfg.Family, echo: cfg.Echo, plan: planFor(cfg.Family),
		report: cfg.Report, started: time.Now(),
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	names := cfg.Nodes
	if names == nil {
		names = []string{"node-a", "node-b"}
	}
	if err := c.build(names); err != nil {
		return nil, errors.Join(fmt.Errorf("build cluster: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) build(nodes []string) error {
	if err := c.buildFabric(); err != nil {
		return err
	}
	internet, err := c.newMachine("internet", host(c.plan.underlay, 1))
	if err != nil {
		return err
	}
	c.Internet = internet
	for i, name := range nodes {
		m, err := c.newMachine(name, host(c.plan.underlay, i+2))
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, &Node{Machine: m, Block: c.plan.block(i)})
	}
	for _, n := range c.Nodes {
		if err := c.routeNode(n); err != nil {
			return fmt.Errorf("route %s: %w", n.Name, err)
		}
	}
	if err := c.Internet.NS.Do(c.routeInternet); err != nil {
		return fmt.Errorf("route the internet: %w", err)
	}
	return c.publish()
}

// Node returns a node by its name.
func (c *Cluster) Node(name string) (*Node, error) {
	i := slices.IndexFunc(c.Nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("no node %q", name)
	}
	return c.Nodes[i], nil
}

// StatePath returns the file that holds the cluster's API objects, in a
// directory of its own.
func (c *Cluster) StatePath() string { return filepath.Join(c.dir, "cluster", "state.yaml") }

// Namespaces returns the files of a node's network namespace and of its pods'.
func (c *Cluster) Namespaces(n *Node) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	paths := []string{n.NS.Path()}
	for _, p := range c.pods {
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
func (c *Cluster) family4() bool { return c.plan.underlay.Addr().Is4() }

// everywhere is the default route's destination.
func (c *Cluster) everywhere() netip.Prefix {
	if c.family4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
