package route_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/route"
)

var compare = cmpopts.EquateComparable(netip.Addr{})

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func prefix(t testing.TB, s string) *net.IPNet {
	t.Helper()
	_, n, err := net.ParseCIDR(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// link makes a veth pair in the thread's namespace, up, with addresses on its
// first end.
func link(t testing.TB, name string, addrs ...string) netlink.Link {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: name + "-peer"}))
	for _, n := range []string{name + "-peer", name} {
		l, err := netlink.LinkByName(n)
		must(t, err)
		must(t, netlink.LinkSetUp(l))
	}
	l, err := netlink.LinkByName(name)
	must(t, err)
	for _, a := range addrs {
		parsed, err := netlink.ParseAddr(a)
		must(t, err)
		parsed.Flags = unix.IFA_F_NODAD
		must(t, netlink.AddrAdd(l, parsed))
	}
	return l
}

// node makes the thread's namespace a node with an uplink and a pod, IPv4 and
// IPv6, and routes of every type.
func node(t testing.TB) *route.Table {
	t.Helper()
	privtest.InNewNetNS(t)
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	for _, file := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		must(t, os.WriteFile(file, []byte("1"), 0))
	}
	uplink := link(t, "uplink", "10.0.0.1/24", "fd00::1/64").Attrs().Index
	pod := link(t, "pod").Attrs().Index
	for _, r := range []netlink.Route{
		{Dst: prefix(t, "192.168.75.2/32"), LinkIndex: pod, Scope: netlink.SCOPE_LINK},
		{Dst: prefix(t, "fd00:75::2/128"), LinkIndex: pod},
		{Dst: prefix(t, "192.168.136.0/24"), Gw: net.ParseIP("10.0.0.2")},
		{Dst: prefix(t, "fd00:136::/64"), Gw: net.ParseIP("fd00::2")},
		{Dst: prefix(t, "192.168.137.0/24"), Via: &netlink.Via{AddrFamily: netlink.FAMILY_V6, Addr: net.ParseIP("fd00::2")}, LinkIndex: uplink},
		{Dst: prefix(t, "192.168.64.0/26"), Type: unix.RTN_BLACKHOLE},
		{Dst: prefix(t, "192.168.65.0/26"), Type: unix.RTN_UNREACHABLE},
		{Dst: prefix(t, "192.168.66.0/26"), Type: unix.RTN_PROHIBIT},
		{Dst: prefix(t, "fd00:64::/64"), Type: unix.RTN_BLACKHOLE},
		{Dst: prefix(t, "fd00:65::/64"), Type: unix.RTN_UNREACHABLE},
		{Dst: prefix(t, "fd00:66::/64"), Type: unix.RTN_PROHIBIT},
		{Dst: prefix(t, "192.168.67.0/26"), Type: unix.RTN_BLACKHOLE, Table: 100},
		{Dst: prefix(t, "192.168.68.0/26"), Type: unix.RTN_PROHIBIT, Table: 101},
	} {
		if err := netlink.RouteAdd(&r); err != nil {
			t.Fatalf("%v: %v", r, err)
		}
	}
	for table, src := range map[int]string{100: "192.168.75.2/32", 101: "10.0.0.1/32"} {
		rule := netlink.NewRule()
		rule.Src, rule.Table, rule.Priority = prefix(t, src), table, 1000
		must(t, netlink.RuleAdd(rule))
	}
	mac, err := net.ParseMAC("02:00:00:00:00:01")
	must(t, err)
	for _, n := range []netlink.Neigh{
		{IP: net.ParseIP("10.0.0.2"), State: netlink.NUD_REACHABLE, HardwareAddr: mac},
		{IP: net.ParseIP("10.0.0.3"), State: netlink.NUD_STALE, HardwareAddr: mac},
		{IP: net.ParseIP("10.0.0.4"), State: netlink.NUD_FAILED},
		{IP: net.ParseIP("fd00::2"), State: netlink.NUD_PERMANENT, HardwareAddr: mac},
	} {
		n.LinkIndex = uplink
		must(t, netlink.NeighAdd(&n))
	}
	table, err := route.Open()
	must(t, err)
	t.Cleanup(table.Close)
	return table
}

func TestLookup(t *testing.T) {
	table := node(t)
	pods, pods6 := netip.MustParsePrefix("192.168.75.2/32"), netip.MustParsePrefix("fd00:75::2/128")
	for name, tc := range map[string]struct {
		dst, src string
		want     flow.Route
	}{
		"by a gateway": {
			"192.168.136.2", "",
			flow.Route{Via: addr("10.0.0.2"), Interface: "uplink", Type: "unicast", Neighbour: "REACHABLE"},
		},
		"by a gateway, from this host": {
			"192.168.136.2", "10.0.0.1",
			flow.Route{Via: addr("10.0.0.2"), Interface: "uplink", Type: "unicast", Neighbour: "REACHABLE"},
		},
		"by a gateway, from a pod": {
			"192.168.136.2", "192.168.75.2",
			flow.Route{Via: addr("10.0.0.2"), Interface: "uplink", Type: "unicast", Neighbour: "REACHABLE"},
		},
		"ipv6 by a gateway": {
			"fd00:136::2", "",
			flow.Route{Via: addr("fd00::2"), Interface: "uplink", Type: "unicast", Neighbour: "PERMANENT"},
		},
		"ipv6 by a gateway, from a pod": {
			"fd00:136::2", "fd00:75::2",
			flow.Route{Via: addr("fd00::2"), Interface: "uplink", Type: "unicast", Neighbour: "PERMANENT"},
		},
		"by a gateway of the other family": {
			"192.168.137.2", "",
			flow.Route{Via: addr("fd00::2"), Interface: "uplink", Type: "unicast", Neighbour: "PERMANENT"},
		},
		"connected":                   {"10.0.0.3", "", flow.Route{Interface: "uplink", Type: "unicast", Neighbour: "STALE"}},
		"connected and dead":          {"10.0.0.4", "", flow.Route{Interface: "uplink", Type: "unicast", Neighbour: "FAILED"}},
		"connected and never asked":   {"10.0.0.5", "", flow.Route{Interface: "uplink", Type: "unicast"}},
		"a pod of this node":          {"192.168.75.2", "", flow.Route{Interface: "pod", Type: "unicast"}},
		"local":                       {"10.0.0.1", "", flow.Route{Type: "local"}},
		"ipv6 local":                  {"fd00::1", "", flow.Route{Type: "local"}},
		"blackhole":                   {"192.168.64.2", "", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"blackhole, from this host":   {"192.168.64.2", "10.0.0.1", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"blackhole, from a pod":       {"192.168.64.2", "192.168.75.2", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"unreachable":                 {"192.168.65.2", "", flow.Route{Type: "unreachable", Err: "EHOSTUNREACH"}},
		"unreachable, from a pod":     {"192.168.65.2", "192.168.75.2", flow.Route{Type: "unreachable", Err: "EHOSTUNREACH"}},
		"prohibit":                    {"192.168.66.2", "", flow.Route{Type: "prohibit", Err: "EACCES"}},
		"prohibit, from a pod":        {"192.168.66.2", "192.168.75.2", flow.Route{Type: "prohibit", Err: "EACCES"}},
		"none":                        {"203.0.113.1", "", flow.Route{Err: "ENETUNREACH"}},
		"none, from this host":        {"203.0.113.1", "10.0.0.1", flow.Route{Err: "ENETUNREACH"}},
		"none, from a pod":            {"203.0.113.1", "192.168.75.2", flow.Route{Err: "ENETUNREACH"}},
		"ipv6 blackhole":              {"fd00:64::2", "", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"ipv6 blackhole, from a pod":  {"fd00:64::2", "fd00:75::2", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"ipv6 unreachable":            {"fd00:65::2", "", flow.Route{Type: "unreachable", Err: "EHOSTUNREACH"}},
		"ipv6 prohibit":               {"fd00:66::2", "", flow.Route{Type: "prohibit", Err: "EACCES"}},
		"ipv6 none":                   {"2001:db8::1", "", flow.Route{Err: "ENETUNREACH"}},
		"ipv6 none, from a pod":       {"2001:db8::1", "fd00:75::2", flow.Route{Err: "ENETUNREACH"}},
		"ipv4-mapped":                 {"::ffff:192.168.64.2", "::ffff:10.0.0.1", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"a policy of the pod":         {"192.168.67.2", "192.168.75.2", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"a policy of this host":       {"192.168.68.2", "10.0.0.1", flow.Route{Type: "prohibit", Err: "EACCES"}},
		"a policy without its source": {"192.168.68.2", "", flow.Route{Err: "ENETUNREACH"}},
		"a policy of another's":       {"192.168.67.2", "10.0.0.1", flow.Route{Err: "ENETUNREACH"}},
		"a source that is not routed": {"192.168.64.2", "203.0.113.1", flow.Route{Type: "blackhole", Err: "EINVAL"}},
		"a source that is dropped": {
			"192.168.136.2", "192.168.64.2",
			flow.Route{Via: addr("10.0.0.2"), Interface: "uplink", Type: "unicast", Neighbour: "REACHABLE"},
		},
	} {
		got, err := table.Lookup(t.Context(), addr(tc.dst), addr(tc.src))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tc.want.Dst, tc.want.Src = addr(tc.dst).Unmap(), addr(tc.src).Unmap()
		tc.want.Own = tc.want.Src == addr("10.0.0.1")
		if pods.Contains(tc.want.Src) || pods6.Contains(tc.want.Src) {
			tc.want.In = "pod"
		}
		if diff := cmp.Diff(tc.want, got, compare); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestLookupFollowsTheTable(t *testing.T) {
	table := node(t)
	before, err := table.Lookup(t.Context(), addr("192.168.136.2"), netip.Addr{})
	must(t, err)
	must(t, netlink.RouteReplace(&netlink.Route{Dst: prefix(t, "192.168.136.0/24"), Type: unix.RTN_BLACKHOLE}))
	after, err := table.Lookup(t.Context(), addr("192.168.136.2"), netip.Addr{})
	must(t, err)
	if before.Type != "unicast" || after.Type != "blackhole" {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// TestAnInterfaceThatDoesNotWork: the way out, the way in, and the one that has the source if
// there is no way out at all.
func TestAnInterfaceThatDoesNotWork(t *testing.T) {
	table := node(t)
	look := func(dst, src string) flow.Route {
		r, err := table.Lookup(t.Context(), addr(dst), addr(src))
		must(t, err)
		return r
	}
	set := func(name string, do func(netlink.Link) error) { must(t, do(byName(t, name))) }
	set("uplink-peer", netlink.LinkSetDown)
	if r := look("10.0.0.3", "10.0.0.1"); r.Dead != "uplink" || !r.NoCarrier || r.Interface != "uplink" {
		t.Errorf("%+v, and its interface has no carrier", r)
	}
	set("uplink", netlink.LinkSetDown)
	if r := look("10.0.0.3", "10.0.0.1"); r.Dead != "uplink" || r.NoCarrier || r.Err != "ENETUNREACH" || !r.Own {
		t.Errorf("%+v, and its interface is down", r)
	}
	set("uplink-peer", netlink.LinkSetUp)
	set("uplink", netlink.LinkSetUp)
	set("pod-peer", netlink.LinkSetDown)
	if r := look("10.0.0.3", "192.168.75.2"); r.Dead != "pod" || r.In != "pod" || !r.NoCarrier {
		t.Errorf("%+v, and the way in has no carrier", r)
	}
	set("pod-peer", netlink.LinkSetUp)
	if r := look("10.0.0.3", "192.168.75.2"); r.Dead != "" {
		t.Errorf("%+v, and all works", r)
	}
	must(t, netlink.AddrDel(byName(t, "uplink"), &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP("10.0.0.1").To4(), Mask: net.CIDRMask(24, 32)}}))
	if r := look("10.0.0.3", "10.0.0.1"); r.Own {
		t.Errorf("%+v, and its address is gone", r)
	}
}

func byName(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

func TestLookupFails(t *testing.T) {
	table := node(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := table.Lookup(ended, addr("10.0.0.2"), netip.Addr{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	if _, err := table.Lookup(t.Context(), netip.Addr{}, netip.Addr{}); err == nil {
		t.Error("a lookup without a destination was made")
	}
	if _, err := table.Lookup(t.Context(), addr("10.0.0.2"), addr("fd00::1")); err == nil {
		t.Error("a lookup between families was made")
	}
}

func BenchmarkLookup(b *testing.B) {
	table := node(b)
	for b.Loop() {
		if _, err := table.Lookup(b.Context(), addr("192.168.136.2"), addr("192.168.75.2")); err != nil {
			b.Fatal(err)
		}
	}
}
