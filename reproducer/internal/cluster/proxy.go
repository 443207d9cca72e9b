package cluster

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// syncProxies does what kube-proxy does: it writes the rules of every node for the Services
// and their backends.
func (c *Cluster) syncProxies() error {
	for _, n := range c.Nodes {
		if err := n.NS.Do(func() error { return c.syncProxy(n) }); err != nil {
			return fmt.Errorf("translate services on %s: %w", n.Name, err)
		}
	}
	return nil
}

// StopProxies freezes the nodes' rules for a Service, whatever happens to it and
// its pods.
func (c *Cluster) StopProxies(s *Service) {
	c.mu.Lock()
	s.stopped, s.stale = true, c.targets(s)
	c.mu.Unlock()
	c.report("the nodes' rules for service %s follow the API no more", s.Name)
}

// syncProxy replaces the rules of the calling thread's namespace in one
// transaction.
func (c *Cluster) syncProxy(n *Node) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	family := nftables.TableFamilyIPv6
	if c.family4() {
		family = nftables.TableFamilyIPv4
	}
	t := replaceTable(conn, "kube-proxy", family)
	nat := []*nftables.Chain{
		addChain(conn, t, "translate-forwarded", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest),
		addChain(conn, t, "translate-local", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest),
	}
	filter := []*nftables.Chain{
		addChain(conn, t, "refuse-forwarded", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter),
		addChain(conn, t, "refuse-local", nftables.ChainTypeFilter, nftables.ChainHookOutput, nftables.ChainPriorityFilter),
	}
	c.mu.Lock()
	for _, s := range c.svcs {
		if s.ClusterIP.IsValid() {
			addService(conn, s, c.targets(s), nat, filter)
		}
	}
	c.mu.Unlock()

	post := addChain(conn, t, "masquerade", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	addRule(conn, post,
		to(uplink), source(n.Block),
		destination(c.plan.pods, expr.CmpOpNeq), destination(c.plan.underlay, expr.CmpOpNeq),
		[]expr.Any{&expr.Masq{}})
	// Connections to a virtual IP have to come back through this node.
	addRule(conn, post, source(single(c.Internet.Addr)), destination(c.plan.pods, expr.CmpOpEq), []expr.Any{&expr.Masq{}})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("replace rules: %w", err)
	}
	return nil
}

// addService spreads new connections over the targets; without any it rejects them.
func addService(conn *nftables.Conn, s *Service, targets []netip.Addr, nat, filter []*nftables.Chain) {
	for _, chain := range nat {
		for i, a := range targets {
			addRule(conn, chain, tcpTo(s.ClusterIP), oneIn(len(targets)-i), translate(a, Port))
			if s.VIP.IsValid() {
				addRule(conn, chain, tcpTo(s.VIP), oneIn(len(targets)-i), translate(a, Port))
			}
		}
	}
	if len(targets) > 0 {
		return
	}
	for _, chain := range filter {
		addRule(conn, chain, tcpTo(s.ClusterIP), isNew(), reject(chain.Table.Family))
	}
}
