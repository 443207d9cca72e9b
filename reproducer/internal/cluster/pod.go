package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// podLinkMAC is what Calico gives the node's end of every pod's link.
var podLinkMAC = net.HardwareAddr{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}

// PodSpec is a pod that runs the echo program.
type PodSpec struct {
	Workload    string // its Deployment, and the value of its label app
	Node        string
	Args        []string   // of the echo program
	HostNetwork bool       // it uses its node's address and namespace
	Addr        netip.Addr // of a pod that is gone, for reuse; with HostNetwork, a second one of its node; zero: a new one
	Isolated    bool       // a policy drops all that reaches it
	Family      Family     // how its program speaks; empty: as the cluster
	Source      bool       // its program gets its address as a flag
	SoMaxConn   string     // net.core.somaxconn of its namespace; empty: the kernel's
	Unmerged    bool       // its segments leave one by one (no GSO)
	RTOMax      string     // net.ipv4.tcp_rto_max_ms of its namespace (6.15); empty: the kernel's
}

// Pod is a pod of the cluster.
type Pod struct {
	Name     string
	UID      string
	Workload string
	Node     *Node
	Addr     netip.Addr
	NS       *namespace.Namespace
	Echo     *Echo

	replicaSet string
	created    time.Time
	link       string     // the node's end of its link; empty with HostNetwork
	deleting   *time.Time // when its graceful deletion began
	doubted    bool       // its endpoints say that it is terminating
}

// Address returns the address on which the pod's server listens.
func (p *Pod) Address() string { return netip.AddrPortFrom(p.Addr, Port).String() }

// SmallBuffers makes new connections of the pod fill at once if the peer does not
// read.
func (p *Pod) SmallBuffers() error {
	return p.NS.Do(func() error {
		for _, s := range []string{"ipv4/tcp_rmem", "ipv4/tcp_wmem"} {
			if err := namespace.Sysctl(s, "4096 16384 65536"); err != nil {
				return err
			}
		}
		return nil
	})
}

// StartPod starts a pod and waits until its server listens, or its client
// runs.
func (c *Cluster) StartPod(ctx context.Context, spec PodSpec) (*Pod, error) {
	node, err := c.Node(spec.Node)
	if err != nil {
		return nil, err
	}
	replicaSet := spec.Workload + "-" + hash(spec.Workload)
	p := &Pod{
		Name: replicaSet + "-" + suffix(), UID: newUID(), Workload: spec.Workload, Node: node,
		replicaSet: replicaSet, created: time.Now(),
	}
	if err := c.networkPod(p, spec); err != nil {
		return nil, fmt.Errorf("network pod %s: %w", p.Name, err)
	}
	if spec.Source {
		spec.Args = append(slices.Clone(spec.Args), "--source", p.Addr.String())
	}
	family := c.family
	if spec.Family != "" {
		family = spec.Family
	}
	if p.Echo, err = c.startEcho(p.Name, p.NS, family, spec.Args); err != nil {
		return nil, err
	}
	if listens(spec.Args) {
		if _, err := p.Echo.AwaitKind(ctx, 1, record.Listening); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	c.pods = append(c.pods, p)
	c.mu.Unlock()
	c.report("pod %s runs on %s at %s", p.Name, node.Name, p.Addr)
	return p, c.publish()
}

// listens reports whether the echo program accepts connections.
func listens(args []string) bool {
	return slices.Contains(args, "server") || slices.Contains(args, "proxy") || slices.Contains(args, "consume")
}

// networkPod gives a pod an address, and a namespace unless it shares its
// node's.
func (w *network) networkPod(p *Pod, spec PodSpec) error {
	if spec.HostNetwork {
		p.Addr, p.NS = p.Node.Addr, p.Node.NS
		if spec.Addr.IsValid() {
			p.Addr = spec.Addr
			return p.NS.Do(func() error { _, err := up(uplink, single(p.Addr)); return err })
		}
		return nil
	}
	if p.Addr = spec.Addr; !p.Addr.IsValid() {
		p.Node.allocated++
		p.Addr = host(p.Node.Block, p.Node.allocated+1)
	}
	p.link = "cali" + p.UID[:8]
	var err error
	if p.NS, err = w.newNamespace(p.Name); err != nil {
		return err
	}
	if spec.RTOMax != "" {
		if err := p.NS.Do(func() error { return namespace.Sysctl("ipv4/tcp_rto_max_ms", spec.RTOMax) }); err != nil {
			return err
		}
	}
	if spec.SoMaxConn != "" {
		if err := p.NS.Do(func() error { return namespace.Sysctl("core/somaxconn", spec.SoMaxConn) }); err != nil {
			return err
		}
	}
	if spec.Isolated {
		if err := isolate(p.NS); err != nil {
			return err
		}
	}
	if err := p.Node.NS.Do(func() error { return linkPod(p) }); err != nil {
		return err
	}
	return p.NS.Do(func() error {
		link, err := up(uplink, single(p.Addr))
		if err != nil {
			return err
		}
		if spec.Unmerged {
			if err := netlink.LinkSetGSOMaxSegs(link, 1); err != nil {
				return err
			}
		}
		if w.family4() { // an IPv6 gateway is link-local anyway
			if err := routeTo(single(w.plan.podGateway), link); err != nil {
				return err
			}
		}
		return routeVia(w.everywhere(), w.plan.podGateway, link)
	})
}

// linkPod makes the node's end: a link without an IPv4 address that answers for the
// gateway's, and a route to the pod.
func linkPod(p *Pod) error {
	if err := connect(p.link, uplink, p.NS, podLinkMAC); err != nil {
		return err
	}
	for _, s := range [][2]string{
		{"ipv4/conf/" + p.link + "/proxy_arp", "1"},
		{"ipv4/neigh/" + p.link + "/proxy_delay", "0"},
	} {
		if err := namespace.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	link, err := up(p.link)
	if err != nil {
		return err
	}
	return routeTo(single(p.Addr), link)
}

// newUID returns an identifier in the form of RFC 9562, version 4.
func newUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// nameLetters are the letters of names that Kubernetes generates.
const nameLetters = "bcdfghjklmnpqrstvwxz2456789"

// suffix returns the random part of a pod's name.
func suffix() string {
	b := make([]byte, 5)
	rand.Read(b)
	for i := range b {
		b[i] = nameLetters[int(b[i])%len(nameLetters)]
	}
	return string(b)
}

// hash returns the hash in the name of a workload's ReplicaSet.
func hash(workload string) string {
	h, b := uint32(2166136261), make([]byte, 9)
	for i := range b {
		h = (h ^ uint32(workload[i%len(workload)])) * 16777619
		b[i] = nameLetters[h%uint32(len(nameLetters))]
	}
	return string(b)
}
