package tracer

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// A peer with more connections than fit leaves out none of the addresses, and
// none of the connections that come first, also those that come later.
func TestWhatComesFirstFits(t *testing.T) {
	t.Parallel()
	const room, more = 1 << 16, 1000
	tr := open(t, Options{Scope: []uint32{nettest.Loopback(t)}})
	from := func(n int) flow.Tuple {
		return flow.Tuple{Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 16), byte(n >> 8)}), uint16(n)), Dst: netip.MustParseAddrPort("10.96.0.10:80")}
	}
	crowd := make([]flow.Tuple, room+more)
	for n := range crowd {
		crowd[n] = from(n)
	}
	other, addr := flow.Tuple{Src: netip.MustParseAddrPort("192.0.2.1:1"), Dst: netip.MustParseAddrPort("192.0.2.2:2")}, netip.MustParseAddr("192.0.2.3")
	for _, given := range []struct {
		tuples []flow.Tuple
		addrs  []netip.Addr
		left   string
	}{
		{crowd, nil, "1000 peers that are gone were left out"},
		{append([]flow.Tuple{other}, crowd...), []netip.Addr{addr}, "1002 peers that are gone were left out"},
	} {
		if err := tr.SetGone(given.tuples, given.addrs); err == nil || !strings.HasPrefix(err.Error(), given.left) {
			t.Errorf("%v, want %q", err, given.left)
		}
	}
	m := tr.objects.Maps[tcpstuckMapGone]
	for what, key := range map[string]tcpstuckGoneKey{
		"the address":    {Remote: packed(addr)},
		"the connection": {Local: packed(other.Src.Addr()), Remote: packed(other.Dst.Addr()), LocalPort: 1, RemotePort: 2},
	} {
		var is uint8
		if err := m.Lookup(key, &is); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := tr.SetGone(crowd[:room], nil); err != nil {
		t.Errorf("as many as fit: %v", err)
	}
}
