package ledger

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestFlowsAtAnAddress: the socket's own, its peer's, and what conntrack has for them.
func TestFlowsAtAnAddress(t *testing.T) {
	at := netip.MustParseAddrPort
	l := ofMost(10)
	hold := func(id flow.ID, local, remote netip.AddrPort, entry *flow.Translation) {
		s := readAt(0, 1)
		s.ID, s.Local, s.Remote = id, local, remote
		l.Observe(s)
		e := l.Entry(id)
		l.Put(e.Judge(diagnosis.Evidence{Socket: e.Socket(), Conntrack: diagnosis.Conntrack{Entry: entry}}, diagnosis.Decision{}))
	}
	own, service, pod := at("10.0.0.1:40000"), at("10.96.0.10:80"), at("10.0.1.9:8080")
	hold(1, own, service, &flow.Translation{
		Asked: flow.Tuple{Src: own, Dst: service}, Orig: flow.Tuple{Src: own, Dst: service}, Reply: flow.Tuple{Src: pod, Dst: own},
	})
	client, masked := at("10.0.2.7:50000"), at("192.0.2.1:50000") // a pod that reaches this one by a node's address
	hold(2, at("10.0.0.1:80"), masked, &flow.Translation{
		Asked: flow.Tuple{Src: at("10.0.0.1:80"), Dst: masked}, Orig: flow.Tuple{Src: client, Dst: at("10.0.0.1:80")}, Reply: flow.Tuple{Src: at("10.0.0.1:80"), Dst: masked},
	})
	hold(3, at("[fd00::1]:40001"), at("[fd00::9]:80"), nil)
	for addrs, want := range map[string][]flow.ID{
		"10.0.0.1":          {1, 2},
		"10.96.0.10":        {1},
		"10.0.1.9":          {1},
		"10.0.2.7":          {2},
		"192.0.2.1":         {2},
		"fd00::9":           {3},
		"fd00::1 10.0.1.9":  {1, 3},
		"10.0.1.10":         nil,
		"fd00::a 198.0.2.1": nil,
	} {
		among := map[netip.Addr]struct{}{}
		for a := range strings.FieldsSeq(addrs) {
			among[netip.MustParseAddr(a)] = struct{}{}
		}
		var got []flow.ID
		for _, e := range At(l.Entries(), among) {
			got = append(got, e.ID())
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", addrs, diff)
		}
	}
}
