package flow_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var (
	client  = netip.MustParseAddrPort("192.168.75.2:43580")
	service = netip.MustParseAddrPort("10.96.0.10:80")
	backend = netip.MustParseAddrPort("192.168.136.2:8000")
	masked  = netip.MustParseAddrPort("172.18.0.2:61000") // the client behind SNAT
)

// TestTranslation looks at conntrack entries from both of their ends.
func TestTranslation(t *testing.T) {
	type view struct {
		Accepted, Translated bool
		Backend              netip.AddrPort
	}
	dnat := flow.Translation{
		Orig:  flow.Tuple{Src: client, Dst: service},
		Reply: flow.Tuple{Src: backend, Dst: client},
	}
	plain := flow.Translation{
		Orig:  flow.Tuple{Src: client, Dst: backend},
		Reply: flow.Tuple{Src: backend, Dst: client},
	}
	snat := flow.Translation{
		Orig:  flow.Tuple{Src: client, Dst: backend},
		Reply: flow.Tuple{Src: backend, Dst: masked},
	}
	loop := flow.Translation{ // a socket connected to itself: both directions are one tuple
		Orig:  flow.Tuple{Src: client, Dst: client},
		Reply: flow.Tuple{Src: client, Dst: client},
	}
	for name, tc := range map[string]struct {
		entry flow.Translation
		asked flow.Tuple
		want  view
	}{
		"client of a service":     {dnat, dnat.Orig, view{Translated: true, Backend: backend}},
		"server of a service":     {dnat, dnat.Reply, view{Accepted: true, Translated: true, Backend: client}},
		"client, not translated":  {plain, plain.Orig, view{Backend: backend}},
		"server, not translated":  {plain, plain.Reply, view{Accepted: true, Backend: client}},
		"client behind SNAT":      {snat, snat.Orig, view{Translated: true, Backend: backend}},
		"server of a SNAT client": {snat, snat.Reply, view{Accepted: true, Translated: true, Backend: client}},
		"connected to itself":     {loop, loop.Orig, view{Backend: client}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.entry.Asked = tc.asked
			got := view{tc.entry.Accepted(), tc.entry.Translated(), tc.entry.Backend()}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTuple(t *testing.T) {
	s := flow.Socket{Local: client, Remote: service, Unacknowledged: 6, Unsent: 40}
	tuple := s.Tuple()
	if want := "192.168.75.2:43580 → 10.96.0.10:80"; tuple.String() != want {
		t.Errorf("the socket's tuple: want %s, got %s", want, tuple)
	}
	if want := "10.96.0.10:80 → 192.168.75.2:43580"; tuple.Reverse().String() != want {
		t.Errorf("its reverse: want %s, got %s", want, tuple.Reverse())
	}
	if want := uint32(46); s.AtRisk() != want {
		t.Errorf("bytes at risk: want %d, got %d", want, s.AtRisk())
	}
}
