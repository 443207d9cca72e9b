package cluster

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// syncProxies does what kube-proxy does: it writes the rules of every node for the Services
// and their backends.
func (a *api) syncProxies() error {
	for _, n := range a.net.Nodes {
		if err := n.NS.Do(func() error { return a.syncProxy(n) }); err != nil {
			return fmt.Errorf("translate services on %s: %w", n.Name, err)
		}
	}
	return nil
}

// StopProxies freezes the nodes' rules for a Service, whatever happens to it and
// its pods.
func (a *api) StopProxies(s *Service) {
	a.mu.Lock()
	s.stopped, s.stale = true, a.targets(s)
	a.mu.Unlock()
	a.net.report("the nodes' rules for service %s follow the API no more", s.Name)
}

// syncProxy replaces the rules of the calling thread's namespace in one
// transaction.
func (a *api) syncProxy(n *Node) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	family := nftables.TableFamilyIPv6
	if a.net.family4() {
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
	a.mu.Lock()
	for _, s := range a.svcs {
		if s.ClusterIP.IsValid() {
			addService(conn, s, a.targets(s), nat, filter)
		}
	}
	a.mu.Unlock()

	post := addChain(conn, t, "masquerade", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	addRule(conn, post,
		to(uplink), source(n.Block),
		destination(a.net.plan.pods, expr.CmpOpNeq), destination(a.net.plan.underlay, expr.CmpOpNeq),
		[]expr.Any{&expr.Masq{}})
	// Connections to a virtual IP have to come back through this node.
	addRule(conn, post, source(single(a.net.Internet.Addr)), destination(a.net.plan.pods, expr.CmpOpEq), []expr.Any{&expr.Masq{}})
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
