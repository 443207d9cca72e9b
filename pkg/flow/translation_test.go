package flow_test

import (
	"net/netip"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestDeleteCommand(t *testing.T) {
	orig := func(src, dst string) flow.Translation {
		return flow.Translation{Orig: flow.Tuple{Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst)}}
	}
	zoned := orig("10.0.0.1:40000", "10.96.0.10:80")
	zoned.Zone = 7
	for name, tc := range map[string]struct {
		entry flow.Translation
		want  string
	}{
		"ipv4": {
			orig("192.168.75.2:43580", "10.96.0.10:8000"),
			"conntrack -D -f ipv4 -p tcp --orig-src 192.168.75.2 --orig-dst 10.96.0.10 --sport 43580 --dport 8000 -w 0",
		},
		"ipv6": {
			orig("[fd00::2]:43580", "[fd00:96::a]:8000"),
			"conntrack -D -f ipv6 -p tcp --orig-src fd00::2 --orig-dst fd00:96::a --sport 43580 --dport 8000 -w 0",
		},
		"mapped": {
			orig("[::ffff:192.168.75.2]:1", "[::ffff:10.96.0.10]:2"),
			"conntrack -D -f ipv4 -p tcp --orig-src 192.168.75.2 --orig-dst 10.96.0.10 --sport 1 --dport 2 -w 0",
		},
		"zone": {
			zoned,
			"conntrack -D -f ipv4 -p tcp --orig-src 10.0.0.1 --orig-dst 10.96.0.10 --sport 40000 --dport 80 -w 7",
		},
	} {
		if got := tc.entry.DeleteCommand(); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tc.want)
		}
	}
}
