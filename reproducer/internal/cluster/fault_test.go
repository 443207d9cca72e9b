package cluster_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// TestFaults: each of them stops a client's small requests, or leaves them
// alone, in either family.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault func(c *cluster.Cluster, a, b *cluster.Node, client, server *cluster.Pod) error
		stops bool
	}{
		"refuse": {func(c *cluster.Cluster, _, b *cluster.Node, _, server *cluster.Pod) error {
			return c.Refuse(b.Machine, server.Addr)
		}, true},
		"unplug": {func(c *cluster.Cluster, _, b *cluster.Node, _, _ *cluster.Pod) error {
			return c.Unplug(b.Machine)
		}, true},
		"blackhole": {func(c *cluster.Cluster, a, b *cluster.Node, _, _ *cluster.Pod) error {
			return c.Blackhole(a, b.Block)
		}, true},
		"drop from": {func(c *cluster.Cluster, _, b *cluster.Node, client, _ *cluster.Pod) error {
			return c.DropFrom(b.Machine, client.Addr)
		}, true},
		"drop large": {func(c *cluster.Cluster, _, b *cluster.Node, _, server *cluster.Pod) error {
			return c.DropLarge(b.Machine, server.Addr, 1000)
		}, false},
		"drop what the node itself sends": {func(c *cluster.Cluster, a, _ *cluster.Node, _, server *cluster.Pod) error {
			return c.DropSent(a.Machine, server.Addr)
		}, false},
	} {
		for _, family := range []cluster.Family{cluster.IPv4, cluster.IPv6} {
			t.Run(name+" "+string(family), func(t *testing.T) {
				t.Parallel()
				c, ctx := newCluster(t, family)
				client, server, _ := pair(t, ctx, c)
				awaitKind(t, ctx, client.Echo, 2, record.Read)
				if err := tc.fault(c, c.Nodes[0], c.Nodes[1], client, server); err != nil {
					t.Fatal(err)
				}
				if got := stops(t, client.Echo); got != tc.stops {
					t.Errorf("the client stops: %v, want %v\n%s", got, tc.stops, client.Echo.Log())
				}
			})
		}
	}
}

// stops waits until the client has had answers for a second, or none for two.
func stops(t *testing.T, e *cluster.Echo) bool {
	t.Helper()
	const asked = 20 // in a second
	since := time.Now()
	for ; ; time.Sleep(20 * time.Millisecond) {
		answers, latest := 0, since
		for _, r := range e.Records() {
			if r.Kind == record.Read && r.Time.After(since) {
				answers, latest = answers+1, r.Time
			}
		}
		if answers >= asked {
			return false
		}
		if time.Since(latest) > 2*time.Second {
			return true
		}
	}
}

func TestOwnNodeForgetsItsPod(t *testing.T) {
	t.Parallel()
	c, ctx := newCluster(t, cluster.IPv4)
	svc, err := c.AddService("server", "server", false)
	if err != nil {
		t.Fatal(err)
	}
	server, err := c.StartPod(ctx, cluster.PodSpec{Workload: "server", Node: "node-a", Args: []string{"server"}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := c.StartPod(ctx, cluster.PodSpec{Workload: "client", Node: "node-a", Args: []string{"client", "--requests", "1", "--server", svc.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	awaitKind(t, ctx, client.Echo, 1, record.Read)
	connected := awaitKind(t, ctx, client.Echo, 1, record.Connected)
	to := netip.AddrPortFrom(svc.ClusterIP, cluster.Port)
	if got := backendOf(t, c.Nodes[0], connected.Local, to); got != server.Addr {
		t.Fatalf("conntrack sends the flow to %s, want %s", got, server.Addr)
	}
	if _, err := c.ForceDelete(server); err != nil {
		t.Fatal(err)
	}
	if got := backendOf(t, c.Nodes[0], connected.Local, to); got.IsValid() {
		t.Errorf("conntrack still sends the flow to %s", got)
	}
}

func TestForceDeleteLateLetsTheFINThrough(t *testing.T) {
	t.Parallel()
	c, ctx := newCluster(t, cluster.IPv4)
	client, server, _ := pair(t, ctx, c)
	awaitKind(t, ctx, client.Echo, 1, record.Read)
	if _, err := c.ForceDeleteLate(ctx, server); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Echo.AwaitKind(ctx, 1, record.Closed); err != nil {
		t.Error(err)
	}
}

func TestAddressIsUsedAgain(t *testing.T) {
	t.Parallel()
	c, ctx := newCluster(t, cluster.IPv4)
	_, server, _ := pair(t, ctx, c)
	if _, err := c.ForceDelete(server); err != nil {
		t.Fatal(err)
	}
	heir, err := c.StartPod(ctx, cluster.PodSpec{Workload: "batch", Node: "node-b", Args: []string{"server"}, Addr: server.Addr, Isolated: true})
	if err != nil {
		t.Fatal(err)
	}
	if heir.Addr != server.Addr {
		t.Errorf("the heir's address is %s, want %s", heir.Addr, server.Addr)
	}
	caller, err := c.StartPod(ctx, cluster.PodSpec{Workload: "caller", Node: "node-a", Args: []string{"client", "--server", heir.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Second)
	for _, r := range append(caller.Echo.Records(), heir.Echo.Records()...) {
		if r.Kind != record.Listening {
			t.Errorf("an isolated pod was reached, or answered: %+v", r)
		}
	}
}

func TestLoseNode(t *testing.T) {
	t.Parallel()
	c, ctx := newCluster(t, cluster.IPv4)
	pair(t, ctx, c)
	if err := c.LoseNode(c.Nodes[1]); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.StatePath())
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]int{"reason: NodeStatusUnknown": 1, "reason: KubeletReady": 1, "deletionTimestamp:": 1, "terminating: true": 1} {
		if got := strings.Count(string(b), what); got != want {
			t.Errorf("%q is %d times in the state, want %d", what, got, want)
		}
	}
}

func TestVIPComesBackByItsNode(t *testing.T) {
	t.Parallel()
	for _, family := range []cluster.Family{cluster.IPv4, cluster.IPv6} {
		t.Run(string(family), func(t *testing.T) {
			t.Parallel()
			c, ctx := newCluster(t, family)
			svc, err := c.AddService("gateway", "gateway", false)
			if err != nil {
				t.Fatal(err)
			}
			gateway, err := c.StartPod(ctx, cluster.PodSpec{Workload: "gateway", Node: "node-a", Args: []string{"server"}})
			if err != nil {
				t.Fatal(err)
			}
			vip, err := c.AddVIP(svc)
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range []*cluster.Node{c.Nodes[1], c.Nodes[0]} {
				if err := c.MoveVIP(n); err != nil {
					t.Fatal(err)
				}
				if _, err := c.StartHost(ctx, "browser-"+n.Name, []string{"client", "--idle", "--server", vip}); err != nil {
					t.Fatal(err)
				}
				accepted, err := gateway.Echo.AwaitKind(ctx, i+1, record.Accepted)
				if err != nil {
					t.Fatal(err)
				}
				if got := accepted.Remote.Addr(); got != n.Addr {
					t.Errorf("by %s the gateway sees %s, want the node's %s", n.Name, got, n.Addr)
				}
			}
		})
	}
}

// TestTwoHostsOutside: each listens on an address of its own.
func TestTwoHostsOutside(t *testing.T) {
	t.Parallel()
	for _, family := range []cluster.Family{cluster.IPv4, cluster.IPv6} {
		t.Run(string(family), func(t *testing.T) {
			t.Parallel()
			c, ctx := newCluster(t, family)
			for _, name := range []string{"database", "another"} {
				if _, err := c.StartHost(ctx, name, []string{"server"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
