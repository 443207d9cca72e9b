package cluster_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/internal/progtest"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

var echoProgram string

func TestMain(m *testing.M) {
	if base := os.Getenv(victimBase); base != "" {
		echoProgram = os.Getenv("TCPSTUCK_TEST_ECHO")
		panic(victim(base))
	}
	dir, err := os.MkdirTemp("", "echo")
	if err != nil {
		panic(err)
	}
	echoProgram = filepath.Join(dir, "echo")
	if err := progtest.Build("../../..", "reproducer/echo", echoProgram, progtest.Small); err != nil {
		panic(err)
	}
	privtest.Overlap(4)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// newCluster builds a cluster that goes with the test.
func newCluster(t *testing.T, family cluster.Family) (*cluster.Cluster, context.Context) {
	t.Helper()
	privtest.Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	dir, err := rundir.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.New(cluster.Config{Dir: dir.Path, Family: family, Echo: echoProgram, Report: t.Logf})
	if err != nil {
		t.Fatal(err, dir.Remove())
	}
	t.Cleanup(func() {
		cancel()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := dir.Remove(); err != nil {
			t.Error(err)
		}
	})
	return c, ctx
}

// pair starts a server on node-b behind a Service, and a client on node-a.
func pair(t *testing.T, ctx context.Context, c *cluster.Cluster) (client, server *cluster.Pod, svc *cluster.Service) {
	t.Helper()
	svc, err := c.AddService("server", "server", false)
	if err != nil {
		t.Fatal(err)
	}
	server, err = c.StartPod(ctx, cluster.PodSpec{Workload: "server", Node: "node-b", Args: []string{"server", "--catch-sigterm"}})
	if err != nil {
		t.Fatal(err)
	}
	client, err = c.StartPod(ctx, cluster.PodSpec{Workload: "client", Node: "node-a", Args: []string{"client", "--interval", "50ms", "--server", svc.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	return client, server, svc
}

// awaitKind waits for the nth record of a kind.
func awaitKind(t *testing.T, ctx context.Context, e *cluster.Echo, n int, kind record.Kind) record.Record {
	t.Helper()
	r, err := e.AwaitKind(ctx, n, kind)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestServiceReachesServerOnOtherNode(t *testing.T) {
	t.Parallel()
	for _, family := range []cluster.Family{cluster.IPv4, cluster.IPv6, cluster.Mapped} {
		t.Run(string(family), func(t *testing.T) {
			t.Parallel()
			c, ctx := newCluster(t, family)
			client, server, svc := pair(t, ctx, c)
			awaitKind(t, ctx, client.Echo, 3, record.Read)
			accepted := awaitKind(t, ctx, server.Echo, 1, record.Accepted)
			connected := awaitKind(t, ctx, client.Echo, 1, record.Connected)
			if got := connected.Remote.Addr(); got != svc.ClusterIP {
				t.Errorf("client is connected to %s, want the ClusterIP %s", got, svc.ClusterIP)
			}
			if got := accepted.Local.Addr(); got != server.Addr {
				t.Errorf("server was reached at %s, want its own address %s", got, server.Addr)
			}
			if accepted.Remote != connected.Local {
				t.Errorf("server sees client %s, want %s: pod traffic is not masqueraded", accepted.Remote, connected.Local)
			}
		})
	}
}
