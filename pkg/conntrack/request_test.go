package conntrack

import (
	"net/netip"
	"testing"

	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestKernelSelects counts what the kernel sends: the results alone would not
// show whether it or this package selected.
func TestKernelSelects(t *testing.T) {
	privtest.InNewNetNS(t)
	table, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	c, err := timo.Dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	create := func(proto uint8, src, dst string) {
		s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
		if err := c.Create(timo.NewFlow(proto, 0, s.Addr(), d.Addr(), s.Port(), d.Port(), 600, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []struct{ client, server, other string }{
		{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, {"[fd00::1]", "[fd00::2]", "[fd00::3]"},
	} {
		create(unix.IPPROTO_TCP, a.client+":1", a.server+":80")
		create(unix.IPPROTO_TCP, a.client+":2", a.server+":80")
		create(unix.IPPROTO_TCP, a.client+":1", a.other+":80")
		create(unix.IPPROTO_UDP, a.client+":1", a.server+":80")
	}
	for name, tc := range map[string]struct {
		direction uint16
		src, dst  string
		match     uint32
		want      int
	}{
		"ipv4 source":      {attrTupleReply, "10.0.0.2:0", "10.0.0.2:0", matchSrc, 3},
		"ipv4 tcp source":  {attrTupleReply, "10.0.0.2:0", "10.0.0.2:0", matchSrc | matchProto, 2},
		"ipv4 destination": {attrTupleOrig, "10.0.0.3:0", "10.0.0.3:0", matchDst, 1},
		"ipv4 orig":        {attrTupleOrig, "10.0.0.1:1", "10.0.0.2:80", matchTuple, 1},
		"ipv4 reply":       {attrTupleReply, "10.0.0.2:80", "10.0.0.1:2", matchTuple, 1},
		"ipv6 tcp, every address": {
			attrTupleReply, "[fd00::2]:0", "[fd00::2]:0", matchSrc | matchProto, 3,
		},
		"ipv6 ports, every address": {attrTupleOrig, "[fd00::1]:1", "[fd00::2]:80", matchTuple, 2},
	} {
		like := flow.Tuple{Src: netip.MustParseAddrPort(tc.src), Dst: netip.MustParseAddrPort(tc.dst)}
		req, err := filterRequest(tc.direction, like, tc.match)
		if err != nil {
			t.Fatal(err)
		}
		msgs, err := table.askAll(t.Context(), req)
		if err != nil || len(msgs) != tc.want {
			t.Errorf("%s: %d entries, %v; want %d", name, len(msgs), err, tc.want)
		}
	}
}
