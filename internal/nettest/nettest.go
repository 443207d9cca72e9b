// Package nettest gives privileged tests a network of their own: a fresh
// namespace with loopback up, and a wall that swallows segments.
package nettest

import (
	"net"
	"os"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// Loopback moves the calling test into a new network namespace whose loopback
// is up and whose congestion control is reno, and returns its inode number.
func Loopback(t testing.TB) uint32 {
	t.Helper()
	privtest.InNewNetNS(t)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	// New namespaces inherit the host's choice; bbr has clocks of its own, and
	// only reno may be set in every namespace.
	Sysctl(t, "ipv4/tcp_congestion_control", "reno")
	return inode(t)
}

// inode returns the inode number of the calling thread's network namespace.
func inode(t testing.TB) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

// Sysctl writes a setting below /proc/sys/net of the calling thread's
// namespace.
func Sysctl(t testing.TB, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Wall drops TCP segments of the calling thread's namespace by destination
// port, on their way in.
type Wall struct {
	t     testing.TB
	conn  *nftables.Conn
	table *nftables.Table
	chain *nftables.Chain
}

// NewWall builds a wall that lets everything through.
func NewWall(t testing.TB) *Wall {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &Wall{t: t, conn: conn, table: conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "wall"})}
	w.chain = conn.AddChain(&nftables.Chain{
		Name: "in", Table: w.table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
	})
	w.flush()
	return w
}

// Drop swallows every segment to a port from now on.
func (w *Wall) Drop(port int) {
	w.t.Helper()
	w.conn.AddRule(&nftables.Rule{Table: w.table, Chain: w.chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: binaryutil.BigEndian.PutUint16(uint16(port))},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	w.flush()
}

// Open lets everything through again.
func (w *Wall) Open() {
	w.t.Helper()
	w.conn.FlushChain(w.chain)
	w.flush()
}

func (w *Wall) flush() {
	w.t.Helper()
	if err := w.conn.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

// Pair connects a client to a server over the calling thread's loopback; the
// listener stays open until the test ends. Neither has keepalive: Go's, after 15 s,
// would make a second stuck flow of the server behind a Wall.
func Pair(t testing.TB, network, address string) (client, server *net.TCPConn) {
	t.Helper()
	listener, err := (&net.ListenConfig{KeepAlive: -1}).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	dialed, err := (&net.Dialer{KeepAlive: -1}).DialContext(t.Context(), network, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, server = dialed.(*net.TCPConn), (<-accepted).(*net.TCPConn)
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	return client, server
}
