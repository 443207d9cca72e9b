package conntrack_test

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestByReplySource(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	other := tuple("192.168.75.2:43582", "10.96.0.10:8000")
	zoned := entry(tuple("192.168.75.3:1", "10.96.0.10:8000"), tuple("192.168.136.2:8080", "192.168.75.3:1"))
	zoned.Zone = 9
	udp := timo.NewFlow(unix.IPPROTO_UDP, 0, service4.Src.Addr(), backend4.Src.Addr(), 1, 53, 600, 0)
	fill(
		t, zoned, udp,
		entry(service4, backend4), entry(service6, backend6),
		// To other backends, and from the address instead of to it.
		entry(tuple("[fd00:75::2]:43582", "[fd00:96::a]:8000"), tuple("[fd00:136::3]:8080", "[fd00:75::2]:43582")),
		entry(other, tuple("192.168.136.3:8080", "192.168.75.2:43582")),
		entry(tuple("192.168.136.2:1", "192.168.75.2:2"), tuple("192.168.75.2:2", "192.168.136.2:1")),
	)
	inZone := established(tuple("192.168.75.3:1", "10.96.0.10:8000"), tuple("192.168.75.3:1", "10.96.0.10:8000"), tuple("192.168.136.2:8080", "192.168.75.3:1"))
	inZone.Zone = 9
	other4 := established(other, other, tuple("192.168.136.3:8080", "192.168.75.2:43582"))
	other6 := tuple("[fd00:75::2]:43582", "[fd00:96::a]:8000")
	to6 := established(other6, other6, tuple("[fd00:136::3]:8080", "[fd00:75::2]:43582"))
	for name, tc := range map[string]struct {
		addrs string
		want  []flow.Translation
	}{
		"none":                {"", nil},
		"two ipv4":            {"192.168.136.2 192.168.136.3", []flow.Translation{established(service4, service4, backend4), other4, inZone}},
		"two ipv6":            {"fd00:136::2 fd00:136::3", []flow.Translation{established(service6, service6, backend6), to6}},
		"one ipv6, one ipv4":  {"fd00:136::3 192.168.136.3", []flow.Translation{other4, to6}},
		"ipv4, in every zone": {"192.168.136.2", []flow.Translation{established(service4, service4, backend4), inZone}},
		"ipv4-mapped":         {"::ffff:192.168.136.2", []flow.Translation{established(service4, service4, backend4), inZone}},
		"ipv6":                {"fd00:136::2", []flow.Translation{established(service6, service6, backend6)}},
		"nobody's":            {"192.168.136.77", nil},
		"the service":         {"10.96.0.10", nil},
	} {
		// No subtests: they would run in the host's namespace.
		var got []flow.Translation
		err := table.ByReplySource(t.Context(), addrs(tc.addrs), func(e flow.Translation) error {
			got = append(got, e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b flow.Translation) int {
			return cmp.Or(cmp.Compare(a.Zone, b.Zone), a.Reply.Src.Addr().Compare(b.Reply.Src.Addr()))
		})
		if diff := gocmp.Diff(tc.want, got, compare); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}

	enough, calls := errors.New("enough"), 0
	err := table.ByReplySource(t.Context(), []netip.Addr{backend4.Src.Addr()}, func(flow.Translation) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("after %d calls: %v, want the caller's error after one", calls, err)
	}
	if err := table.ByReplySource(t.Context(), []netip.Addr{{}}, keepNone); err == nil {
		t.Error("a pass for no address was made")
	}
}

func addrs(list string) (all []netip.Addr) {
	for _, addr := range strings.Fields(list) {
		all = append(all, netip.MustParseAddr(addr))
	}
	return all
}

func TestSearch(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	zoned := entry(service4, backend4)
	zoned.Zone = 3
	fill(t, zoned, entry(direct, direct.Reverse()), entry(service6, backend6))

	if _, err := table.Lookup(t.Context(), service4); !errors.Is(err, conntrack.ErrNotFound) {
		t.Fatalf("the default zone has an entry of zone 3: %v", err)
	}
	want := established(service4, service4, backend4)
	want.Zone = 3
	for _, asked := range []flow.Tuple{service4, backend4} {
		want.Asked = asked
		got, err := table.Search(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff([]flow.Translation{want}, got, compare); diff != "" {
			t.Errorf("%s: -want +got\n%s", asked, diff)
		}
	}
	fill(t, entry(service4, tuple("192.168.136.7:8080", "192.168.75.2:43580")))
	if got, err := table.Search(t.Context(), mapped); err != nil || len(got) != 2 {
		t.Errorf("in two zones, asked with mapped addresses: %+v, %v", got, err)
	}
	for name, asked := range map[string]flow.Tuple{
		"another source port":      tuple("192.168.75.2:43581", "10.96.0.10:8000"),
		"another destination port": tuple("192.168.75.2:43580", "10.96.0.10:8001"),
		"another source":           tuple("192.168.75.9:43580", "10.96.0.10:8000"),
		"another destination":      tuple("192.168.75.2:43580", "10.96.0.11:8000"),
	} {
		if got, err := table.Search(t.Context(), asked); !errors.Is(err, conntrack.ErrNotFound) {
			t.Errorf("%s: %+v, %v; want ErrNotFound", name, got, err)
		}
	}
}
