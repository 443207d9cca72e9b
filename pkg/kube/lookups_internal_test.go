package kube

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// TestAPodThatLeftIsReadAgain: a reading of a living pod is an answer, until the
// pod leaves its slice.
func TestAPodThatLeftIsReadAgain(t *testing.T) {
	now := time.Now()
	state := cluster.New(cluster.Options{MaxStaleness: time.Hour})
	state.LimitPods("node-a")
	state.SetHealth(true, "API", now)
	backend := netip.MustParseAddrPort("192.168.136.2:8000")
	sl := cluster.Slice{Namespace: "default", Name: "server-x", Service: "server", AnyPort: true, Endpoints: []cluster.Endpoint{
		{Addr: backend.Addr(), Node: "node-b", Pod: "server-1", PodUID: "uid-1"},
	}}
	state.SetSlice(sl, now)
	state.Lookups().SetNode(cluster.Node{Name: "node-b"}, now)
	q := newLookups(nil, "node-a", nil, state, slog.New(slog.DiscardHandler))
	look := func(at time.Time) int {
		state.Backend(backend, at)
		q.take(at)
		n := len(q.pending)
		clear(q.pending)
		return n
	}
	if n := look(now); n != 1 {
		t.Fatalf("%d questions about a pod that nobody read", n)
	}
	pod := subject{cluster.Key{Namespace: "default", Name: "server-1"}, "uid-1", ""}
	q.alive[pod] = now
	if n := look(now.Add(time.Second)); n != 0 {
		t.Errorf("%d questions about a pod that was read a second ago", n)
	}
	sl.Endpoints = nil
	state.SetSlice(sl, now.Add(time.Second))
	q.idle.AllowN(now.Add(time.Second), idleBurst) // a roll-out has used up what is not urgent
	q.take(now.Add(time.Second))
	if n := look(now.Add(time.Second)); n != 1 {
		t.Errorf("%d questions about a pod that has just left its slice", n)
	}
}
