package departed

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestInTurn(t *testing.T) {
	groups := map[string][]int{"a": {1, 2, 3, 4, 5}, "b": {10}, "c": {20, 21}, "d": nil}
	seen := map[string][]int{}
	turns := 0
	for key, n := range inTurn(groups) {
		seen[key] = append(seen[key], n)
		if turns++; turns == 3 && len(seen) != 3 {
			t.Errorf("after three turns %v were seen", seen)
		}
	}
	delete(groups, "d")
	if diff := cmp.Diff(groups, seen); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// entries is a conntrack table in which every connection that it is asked for
// leads to the port's backend.
type entries struct {
	Conntrack
	backends map[uint16]netip.Addr // by the Service's port
}

func (e entries) Lookup(_ context.Context, t flow.Tuple) (flow.Translation, error) {
	addr, ok := e.backends[t.Dst.Port()]
	if !ok {
		return flow.Translation{}, errors.New("no entry")
	}
	return flow.Translation{Orig: t, Reply: flow.Tuple{Src: netip.AddrPortFrom(addr, 8000), Dst: t.Src}, Timeout: time.Minute}, nil
}

// A backend with many connections that outlived it hides no other's.
func TestNoBackendsStaleEntriesHideAnothers(t *testing.T) {
	crowded, quiet, over := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	to := func(n int, port uint16) flow.Tuple {
		return flow.Tuple{Src: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(n+1)), Dst: netip.AddrPortFrom(netip.MustParseAddr("10.96.0.10"), port)}
	}
	var crowd []flow.Tuple
	for n := range 10 * staleLookups {
		crowd = append(crowd, to(n, 1))
	}
	p := missing(entries{backends: map[uint16]netip.Addr{1: crowded, 2: quiet}})
	p.peers[crowded] = peer{tuples: crowd}
	p.peers[quiet] = peer{tuples: []flow.Tuple{to(0, 2), to(1, 2)}}
	p.peers[over] = peer{tuples: []flow.Tuple{to(0, 3)}}
	stale, _ := p.Stale(t.Context(), func(map[flow.Tuple]struct{}) map[flow.Tuple]struct{} { return nil })
	shown := map[netip.Addr]int{}
	for _, s := range stale {
		shown[s.Backend.Addr()]++
	}
	if diff := cmp.Diff(map[netip.Addr]int{crowded: staleLookups - 3, quiet: 2}, shown, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if len(p.peers[over].tuples) != 0 || !slices.Equal(p.peers[crowded].tuples, crowd) {
		t.Error("what is gone is asked for again, or what is there is not")
	}
}
