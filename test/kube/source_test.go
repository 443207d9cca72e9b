package kube_test

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/progtest"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// staleness is --cluster-max-staleness in these tests, where everything goes
// faster: half a second stands for half a minute.
const (
	staleness = time.Second
	silence   = 400 * time.Millisecond
	gap       = 300 * time.Millisecond
)

// source is the API source of node-a, and what it has brought.
type source struct {
	*cluster.State
	log *progtest.Output
}

// follow runs the source by a kubeconfig until the test ends.
func follow(t *testing.T, kubeconfig string) source {
	t.Helper()
	s := source{cluster.New(cluster.Options{MaxStaleness: staleness, Node: "node-a"}), &progtest.Output{}}
	access, err := kube.FindAccess(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	api, err := kube.OpenAPI(kube.APIOptions{Access: access, Node: "node-a", State: s.State, Log: log, Silence: silence, Gap: gap})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- api.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the source does not end")
		}
		if t.Failed() {
			t.Logf("the source's log:\n%s", s.log)
		}
	})
	return s
}

// await polls until ok, because most of what it waits for sends no signal.
func await(t testing.TB, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

func (s source) health() flow.Health { return s.Health(time.Now()) }

func (s source) awaitUp(t *testing.T, up bool) time.Duration {
	t.Helper()
	return await(t, "health", func() bool { return s.health().Up == up })
}

func (s source) backend(addr string) cluster.Backend {
	return s.Backend(netip.MustParseAddrPort(addr), time.Now())
}

func (s source) awaitState(t *testing.T, addr string, want flow.BackendState) time.Duration {
	t.Helper()
	return await(t, addr+" "+string(want), func() bool { return s.backend(addr).State == want })
}

// awaitRead waits until the pod at an address is known by its own record, which
// proves that it had the address.
func (s source) awaitRead(t *testing.T, addr string) {
	t.Helper()
	await(t, "the record of "+addr, func() bool { return strings.Contains(s.backend(addr).How, "is in the list") })
}

// never demands that a backend is not called deleted for a while.
func (s source) never(t *testing.T, addr string, want flow.BackendState, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if b := s.backend(addr); b.State == want {
			t.Fatalf("%s is %s: %s", addr, want, b.How)
		}
	}
}
