package conntrack_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestRealTraffic connects to a service address that a real DNAT rule
// translates, and asks on both nodes about the sockets at both ends.
func TestRealTraffic(t *testing.T) {
	for _, tc := range []struct{ name, client, server, service string }{
		{"ipv4", "10.0.0.1/24", "10.0.0.2/24", "10.96.0.10"},
		{"ipv6", "fd00::1/64", "fd00::2/64", "fd00:96::a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			privtest.InNewNetNS(t) // the client's node
			serverNode := newNode(t)
			join(t, serverNode, netip.MustParsePrefix(tc.client), netip.MustParsePrefix(tc.server))

			var listener net.Listener
			var serverTable *conntrack.Table
			serverNode.run(func() {
				address := netip.AddrPortFrom(netip.MustParsePrefix(tc.server).Addr(), 0)
				listener, serverTable = listen(t, address), open(t)
				track(t)
			})
			backend := listener.Addr().(*net.TCPAddr).AddrPort()
			service := netip.AddrPortFrom(netip.MustParseAddr(tc.service), 8000)
			translate(t, service, backend)
			clientTable := open(t)

			client, err := net.Dial("tcp", service.String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			echo(t, client, server)

			// The client's socket sees the service, the server's the client.
			for name, end := range map[string]struct {
				table    *conntrack.Table
				conn     net.Conn
				backend  netip.AddrPort
				accepted bool
				natted   bool
			}{
				"client": {clientTable, client, backend, false, true},
				"server": {serverTable, server, addrPort(client.LocalAddr()), true, false},
			} {
				asked := flow.Tuple{Src: addrPort(end.conn.LocalAddr()), Dst: addrPort(end.conn.RemoteAddr())}
				got, err := end.table.Lookup(t.Context(), asked)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if got.Backend() != end.backend || got.Accepted() != end.accepted || got.Translated() != end.natted {
					t.Errorf("%s: backend %s, accepted %t, translated %t: %+v", name, got.Backend(), got.Accepted(), got.Translated(), got)
				}
				if got.State != "ESTABLISHED" || !got.Assured || got.Unreplied || got.Asked != asked {
					t.Errorf("%s: %+v", name, got)
				}
			}

			found := 0
			err = clientTable.ByReplySource(t.Context(), []netip.Addr{backend.Addr()}, func(e flow.Translation) error {
				found++
				if e.Orig.Dst != service || e.Reply.Src != backend {
					t.Errorf("found %+v", e)
				}
				return nil
			})
			if err != nil || found != 1 {
				t.Errorf("found %d entries, %v; want the one connection", found, err)
			}
		})
	}
}

// node is a network namespace with a thread in it.
type node struct {
	t    *testing.T
	ns   *os.File
	work chan func()
	done chan struct{}
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, work: make(chan func()), done: make(chan struct{})}
	t.Cleanup(func() {
		close(n.work)
		<-n.done
	})
	go func() {
		defer close(n.done)
		runtime.LockOSThread()
		for f := range n.work {
			f()
		}
	}()
	n.run(func() {
		must(t, unix.Unshare(unix.CLONE_NEWNET))
		ns, err := os.Open("/proc/thread-self/ns/net")
		must(t, err)
		n.ns = ns
	})
	t.Cleanup(func() { must(t, n.ns.Close()) })
	return n
}

// run runs f in the node's namespace and waits for it. A test that fails in f
// ends here.
func (n *node) run(f func()) {
	n.t.Helper()
	done := make(chan struct{})
	n.work <- func() {
		defer close(done)
		f()
	}
	<-done
	if n.t.Failed() {
		n.t.FailNow()
	}
}

// join connects the thread's namespace with the server's node by a veth pair,
// over which it reaches every address.
func join(t *testing.T, server *node, here, there netip.Prefix) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "uplink"
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "uplink", PeerNamespace: netlink.NsFd(int(server.ns.Fd()))}))
	up := func(p netip.Prefix) {
		l, err := netlink.LinkByName("uplink")
		must(t, err)
		a, err := netlink.ParseAddr(p.String())
		must(t, err)
		a.Flags = unix.IFA_F_NODAD
		must(t, netlink.AddrAdd(l, a))
		must(t, netlink.LinkSetUp(l))
	}
	server.run(func() { up(there) })
	up(here)
	l, err := netlink.LinkByName("uplink")
	must(t, err)
	everywhere := net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	if there.Addr().Is6() {
		everywhere = net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	must(t, netlink.RouteAdd(&netlink.Route{Dst: &everywhere, Gw: there.Addr().AsSlice(), LinkIndex: l.Attrs().Index}))
}

// translate adds the rule by which the thread's namespace sends connections
// to the service on to the backend.
func translate(t *testing.T, service, backend netip.AddrPort) {
	t.Helper()
	family, nfproto, offset, size := nftables.TableFamilyIPv4, uint32(unix.NFPROTO_IPV4), uint32(16), uint32(4)
	if service.Addr().Is6() {
		family, nfproto, offset, size = nftables.TableFamilyIPv6, unix.NFPROTO_IPV6, 24, 16
	}
	c, err := nftables.New()
	must(t, err)
	table := c.AddTable(&nftables.Table{Family: family, Name: "services"})
	chain := c.AddChain(&nftables.Chain{
		Name: "output", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: service.Addr().AsSlice()},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, service.Port())},
		&expr.Immediate{Register: 1, Data: backend.Addr().AsSlice()},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, backend.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: nfproto, RegAddrMin: 1, RegProtoMin: 2, Specified: true},
	}})
	must(t, c.Flush())
}

// track has the thread's namespace track connections without translating any.
func track(t *testing.T) {
	t.Helper()
	c, err := nftables.New()
	must(t, err)
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "track"})
	chain := c.AddChain(&nftables.Chain{
		Name: "input", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitINVALID), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	must(t, c.Flush())
}

func listen(t *testing.T, address netip.AddrPort) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address.String())
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// echo sends a byte each way, so that both ends have seen an established
// connection.
func echo(t *testing.T, a, b net.Conn) {
	t.Helper()
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		_, err := pair[0].Write([]byte{1})
		must(t, err)
		_, err = pair[1].Read(make([]byte, 1))
		must(t, err)
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	return a.(*net.TCPAddr).AddrPort()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
