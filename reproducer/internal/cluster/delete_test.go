package cluster_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// backendOf returns where a node's conntrack sends a connection.
func backendOf(t *testing.T, n *cluster.Node, from, to netip.AddrPort) netip.Addr {
	t.Helper()
	family := netlink.InetFamily(unix.AF_INET)
	if from.Addr().Is6() {
		family = unix.AF_INET6
	}
	var backend netip.Addr
	err := n.NS.Do(func() error {
		entries, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
		for _, e := range entries {
			if e.Forward.SrcPort == from.Port() && e.Forward.DstIP.Equal(to.Addr().AsSlice()) {
				backend, _ = netip.AddrFromSlice(e.Reverse.SrcIP)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return backend.Unmap()
}

func TestForceDeleteLeavesClientHanging(t *testing.T) {
	t.Parallel()
	for _, family := range []cluster.Family{cluster.IPv4, cluster.IPv6, cluster.Mapped} {
		t.Run(string(family), func(t *testing.T) {
			t.Parallel()
			c, ctx := newCluster(t, family)
			client, server, svc := pair(t, ctx, c)
			awaitKind(t, ctx, client.Echo, 2, record.Read)
			connected := awaitKind(t, ctx, client.Echo, 1, record.Connected)
			removal, err := c.ForceDelete(server)
			if err != nil {
				t.Fatal(err)
			}
			if d := removal.Route.Sub(removal.Object); d < 15*time.Millisecond || d > 5*time.Second {
				t.Errorf("the route went %s after the object, want about 15ms", d)
			}
			<-server.Echo.Done() // killed, and its FIN is lost
			if !stops(t, client.Echo) {
				t.Errorf("client does not hang:\n%s", client.Echo.Log())
			}
			s, found, err := client.Socket(connected.Local)
			if err != nil || !found {
				t.Fatal("client's socket is gone", err)
			}
			if s.State != flow.Established || s.Unacknowledged != 6 {
				t.Errorf("client's socket is %s with %d bytes unacknowledged, want ESTABLISHED with 6", s.State, s.Unacknowledged)
			}
			node, err := c.Node("node-a")
			if err != nil {
				t.Fatal(err)
			}
			if got := backendOf(t, node, connected.Local, netip.AddrPortFrom(svc.ClusterIP, cluster.Port)); got != server.Addr {
				t.Errorf("conntrack sends the flow to %s, want the dead pod %s", got, server.Addr)
			}
		})
	}
}

// TestGracefulDeleteLetsTheEndThrough is the control to the test above.
func TestGracefulDeleteLetsTheEndThrough(t *testing.T) {
	t.Parallel()
	c, ctx := newCluster(t, cluster.IPv4)
	svc, err := c.AddService("server", "server", false)
	if err != nil {
		t.Fatal(err)
	}
	server, err := c.StartPod(ctx, cluster.PodSpec{Workload: "server", Node: "node-b", Args: []string{"server", "--drain", "300ms"}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := c.StartPod(ctx, cluster.PodSpec{Workload: "client", Node: "node-a", Args: []string{"client", "--interval", "50ms", "--server", svc.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	awaitKind(t, ctx, client.Echo, 2, record.Read)
	if _, err := c.GracefulDelete(ctx, server, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	failed := awaitKind(t, ctx, client.Echo, 1, record.Error)
	if failed.Error != "EOF" && !strings.Contains(failed.Error, "reset by peer") {
		t.Errorf("client ended with %q, want that it hears of the end", failed.Error)
	}
}

func TestStateFileFollowsDeletion(t *testing.T) {
	t.Parallel()
	c, ctx := newCluster(t, cluster.IPv4)
	_, server, _ := pair(t, ctx, c)
	has := func() bool {
		b, err := os.ReadFile(c.StatePath())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(b), server.UID)
	}
	if !has() {
		t.Fatal("the running pod is not in the state file")
	}
	if _, err := c.ForceDelete(server); err != nil {
		t.Fatal(err)
	}
	if has() {
		t.Error("the deleted pod is still in the state file")
	}
}

func TestCutSilencesANodeUntilRestored(t *testing.T) {
	t.Parallel()
	c, ctx := newCluster(t, cluster.IPv4)
	client, server, _ := pair(t, ctx, c)
	awaitKind(t, ctx, client.Echo, 2, record.Read)
	if err := c.Cut(server.Node.Machine); err != nil {
		t.Fatal(err)
	}
	if !stops(t, client.Echo) {
		t.Fatal("the client still gets answers")
	}
	back := time.Now()
	if err := c.Restore(server.Node.Machine); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Echo.Await(ctx, 2, "getting answers again", func(r record.Record) bool {
		return r.Kind == record.Read && r.Time.After(back)
	}); err != nil {
		t.Fatal(err)
	}
}
