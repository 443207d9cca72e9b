package cluster_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// If only packets to a server are lost, a server with data in flight retransmits
// it: its segments would arrive, and the faults would break their promise.
func TestARefusedOrSilentServerSendsNoSegment(t *testing.T) {
	t.Parallel()
	for _, family := range []cluster.Family{cluster.IPv4, cluster.IPv6} {
		t.Run("refused "+string(family), func(t *testing.T) {
			t.Parallel()
			c, ctx := newCluster(t, family)
			server, err := c.StartPod(ctx, cluster.PodSpec{Workload: "server", Node: "node-b", Args: pushing})
			if err != nil {
				t.Fatal(err)
			}
			noSegmentAfter(t, ctx, c, server.Address(), func() error { return c.Refuse(c.Nodes[1].Machine, server.Addr) })
		})
		t.Run("silent "+string(family), func(t *testing.T) {
			t.Parallel()
			c, ctx := newCluster(t, family)
			host, err := c.StartHost(ctx, "db", pushing)
			if err != nil {
				t.Fatal(err)
			}
			server := netip.AddrPortFrom(host.Addr, cluster.Port).String()
			noSegmentAfter(t, ctx, c, server, func() error { return c.Silence(c.Internet, host.Addr) })
		})
	}
}

var pushing = []string{"server", "--push", "20ms"}

// noSegmentAfter starts a client of a server that pushes, and fails unless the
// fault leaves it without any segment.
func noSegmentAfter(t *testing.T, ctx context.Context, c *cluster.Cluster, server string, fault func() error) {
	t.Helper()
	client, err := c.StartPod(ctx, cluster.PodSpec{Workload: "client", Node: "node-a", Args: []string{"client", "--interval", "20ms", "--server", server}})
	if err != nil {
		t.Fatal(err)
	}
	connected := awaitKind(t, ctx, client.Echo, 1, record.Connected)
	awaitKind(t, ctx, client.Echo, 3, record.Read)
	if err := fault(); err != nil {
		t.Fatal(err)
	}
	const silence = 2500 * time.Millisecond // its retransmissions come at 0.2, 0.6, 1.4 seconds
	<-time.After(silence + 200*time.Millisecond)
	if silent := sinceLastSegment(t, client.NS, connected.Local); silent < silence {
		t.Errorf("the last segment of the server came %s ago, %s after the fault", silent, silence-silent)
	}
}

// sinceLastSegment returns how long the kernel has got no segment for a socket.
func sinceLastSegment(t *testing.T, ns *namespace.Namespace, local netip.AddrPort) (since time.Duration) {
	t.Helper()
	family := uint8(unix.AF_INET)
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	err := ns.Do(func() error {
		answers, err := netlink.SocketDiagTCPInfo(family)
		for _, a := range answers {
			if a.InetDiagMsg.ID.SourcePort == local.Port() && a.TCPInfo != nil {
				since = time.Duration(a.TCPInfo.Last_ack_recv) * time.Millisecond
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return since
}
