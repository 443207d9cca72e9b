package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The network: a node whose programs open connections to Services, and one
// namespace that plays all their backends. The node translates 10.96.x.y to
// 10.244.x.y; conntrack keeps the entries there.
const (
	port      = 8000  // of every Service
	sinkPort  = 8001  // data that comes in is read and forgotten
	retries   = "255" // the maximum of the sysctl; outlast allows more
	rtoMaxMs  = "1000"
	clientNet = "10.0.0.1/24"
	serverNet = "10.0.0.2/24"
)

// network is the node and its backends.
type network struct {
	node, backends *namespace
}

// newNetwork makes a node whose Services lead to its backends.
func newNetwork() (*network, error) {
	n, err := newLink()
	if err != nil {
		return n, err
	}
	if err := n.node.do(translateServices); err != nil {
		n.close()
		return nil, fmt.Errorf("build the network: %w", err)
	}
	return n, nil
}

// newLink makes two namespaces with a link between them, and no rule in either.
func newLink() (n *network, err error) {
	n = &network{}
	defer func() {
		if err != nil {
			n.close()
			n, err = nil, fmt.Errorf("build the network: %w", err)
		}
	}()
	if n.node, err = newNamespace(); err != nil {
		return n, err
	}
	if n.backends, err = newNamespace(); err != nil {
		return n, err
	}
	peer := int(n.backends.file.Fd())
	if err = n.node.do(func() error { return connect(peer) }); err != nil {
		return n, err
	}
	if err = n.backends.do(func() error { return configure(serverNet, nil) }); err != nil {
		return n, err
	}
	if err = n.backends.do(func() error { return answerFor(netip.MustParsePrefix("10.244.0.0/16")) }); err != nil {
		return n, err
	}
	gateway := netip.MustParsePrefix(serverNet).Addr()
	return n, n.node.do(func() error { return configure(clientNet, gateway.AsSlice()) })
}

func (n *network) close() {
	for _, ns := range []*namespace{n.node, n.backends} {
		if ns != nil {
			ns.close()
		}
	}
}

// each calls f in both namespaces.
func (n *network) each(f func() error) error {
	return errors.Join(n.node.do(f), n.backends.do(f))
}

const linkName = "storm"

func connect(peer int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = linkName
	return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: linkName, PeerNamespace: netlink.NsFd(peer)})
}

// configure gives the calling thread's namespace its address, a default route
// and the settings that keep a storm going.
func configure(address string, gateway net.IP) error {
	for _, s := range [][2]string{
		{"ipv4/tcp_congestion_control", "reno"}, // every kernel allows it to every namespace
		{"ipv4/tcp_rto_max_ms", rtoMaxMs}, {"ipv4/tcp_retries2", retries},
		{"core/somaxconn", "32768"}, {"ipv4/tcp_max_syn_backlog", "32768"}, {"ipv4/tcp_syncookies", "0"},
		{"ipv4/ip_local_port_range", "10000 60999"},
	} {
		if err := sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	for _, name := range []string{"lo", linkName} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find link %s: %w", name, err)
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set link %s up: %w", name, err)
		}
	}
	link, err := netlink.LinkByName(linkName)
	if err != nil {
		return err
	}
	p := netip.MustParsePrefix(address)
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(p)}); err != nil {
		return fmt.Errorf("add address %s: %w", address, err)
	}
	if gateway == nil {
		return nil
	}
	if err := netlink.RouteAdd(&netlink.Route{Gw: gateway, LinkIndex: link.Attrs().Index}); err != nil {
		return fmt.Errorf("add default route: %w", err)
	}
	return nil
}

// answerFor makes every address of a prefix one of the calling thread's
// namespace.
func answerFor(p netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	r := &netlink.Route{Dst: ipNet(p), LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}
	if err := netlink.RouteAdd(r); err != nil {
		return fmt.Errorf("add local route to %s: %w", p, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
