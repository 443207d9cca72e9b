package conntrack_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	timo "github.com/ti-mo/conntrack"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var compare = cmp.Options{
	cmpopts.EquateComparable(netip.AddrPort{}),
	cmpopts.IgnoreFields(flow.Translation{}, "Timeout"),
}

// tuple reads two addresses with ports.
func tuple(src, dst string) flow.Tuple {
	return flow.Tuple{Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst)}
}

// entry is a connection as the table would hold it.
func entry(orig, reply flow.Tuple) timo.Flow {
	f := timo.NewFlow(unix.IPPROTO_TCP, timo.StatusConfirmed|timo.StatusSeenReply|timo.StatusAssured,
		orig.Src.Addr(), orig.Dst.Addr(), orig.Src.Port(), orig.Dst.Port(), 600, 0)
	f.TupleReply.IP.SourceAddress = reply.Src.Addr()
	f.TupleReply.IP.DestinationAddress = reply.Dst.Addr()
	f.TupleReply.Proto.SourcePort = reply.Src.Port()
	f.TupleReply.Proto.DestinationPort = reply.Dst.Port()
	f.ProtoInfo.TCP = &timo.ProtoInfoTCP{State: 3}
	return f
}

// fill puts entries into the table of the thread's namespace.
func fill(t testing.TB, entries ...timo.Flow) {
	t.Helper()
	c, err := timo.Dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, e := range entries {
		if err := c.Create(e); err != nil {
			t.Fatalf("create %v: %v", e.TupleOrig, err)
		}
	}
}

func open(t testing.TB) *conntrack.Table {
	t.Helper()
	table, err := conntrack.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
	return table
}

var (
	service4 = tuple("192.168.75.2:43580", "10.96.0.10:8000")
	backend4 = tuple("192.168.136.2:8080", "192.168.75.2:43580")
	service6 = tuple("[fd00:75::2]:43580", "[fd00:96::a]:8000")
	backend6 = tuple("[fd00:136::2]:8080", "[fd00:75::2]:43580")
	direct   = tuple("192.168.75.2:50000", "192.168.136.9:5432")
	mapped   = tuple("[::ffff:192.168.75.2]:43580", "[::ffff:10.96.0.10]:8000")
)

func established(asked, orig, reply flow.Tuple) flow.Translation {
	return flow.Translation{Asked: asked, Orig: orig, Reply: reply, State: "ESTABLISHED", Assured: true}
}

func TestLookup(t *testing.T) {
	privtest.InNewNetNS(t)
	half := entry(tuple("192.168.75.2:1", "10.96.0.10:2"), tuple("192.168.136.2:3", "192.168.75.2:1"))
	half.Status, half.ProtoInfo.TCP.State = 0, 1
	table := open(t)
	fill(t, entry(service4, backend4), entry(service6, backend6), entry(direct, direct.Reverse()), half)

	for name, tc := range map[string]struct {
		asked      flow.Tuple
		want       flow.Translation
		backend    string
		accepted   bool
		translated bool
	}{
		"client of a service": {service4, established(service4, service4, backend4), "192.168.136.2:8080", false, true},
		"accepted behind a service": {
			backend4, established(backend4, service4, backend4), "192.168.75.2:43580", true, true,
		},
		"ipv6 client":   {service6, established(service6, service6, backend6), "[fd00:136::2]:8080", false, true},
		"ipv6 accepted": {backend6, established(backend6, service6, backend6), "[fd00:75::2]:43580", true, true},
		"ipv4-mapped":   {mapped, established(service4, service4, backend4), "192.168.136.2:8080", false, true},
		"not translated": {
			direct, established(direct, direct, direct.Reverse()), "192.168.136.9:5432", false, false,
		},
		"unreplied": {
			tuple("192.168.75.2:1", "10.96.0.10:2"),
			flow.Translation{
				Asked: tuple("192.168.75.2:1", "10.96.0.10:2"), Orig: tuple("192.168.75.2:1", "10.96.0.10:2"),
				Reply: tuple("192.168.136.2:3", "192.168.75.2:1"), State: "SYN_SENT", Unreplied: true,
			},
			"192.168.136.2:3", false, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := table.Lookup(t.Context(), tc.asked)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, compare); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got.Backend().String() != tc.backend || got.Accepted() != tc.accepted || got.Translated() != tc.translated {
				t.Errorf("backend %s, accepted %t, translated %t", got.Backend(), got.Accepted(), got.Translated())
			}
			if got.Timeout <= 590*time.Second || got.Timeout > 600*time.Second {
				t.Errorf("timeout %v of an entry made with 600 s", got.Timeout)
			}
		})
	}
}

func TestLookupFails(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	fill(t, entry(service4, backend4))
	for name, tc := range map[string]struct {
		asked flow.Tuple
		want  error // nil: any but ErrNotFound
	}{
		"another port":     {tuple("192.168.75.2:43581", "10.96.0.10:8000"), conntrack.ErrNotFound},
		"the backend":      {tuple("192.168.75.2:43580", "192.168.136.2:8080"), conntrack.ErrNotFound},
		"the other family": {service6, conntrack.ErrNotFound},
		"no addresses":     {flow.Tuple{}, nil},
		"mixed families":   {flow.Tuple{Src: service4.Src, Dst: service6.Dst}, nil},
	} {
		got, err := table.Lookup(t.Context(), tc.asked)
		if err == nil || errors.Is(err, conntrack.ErrNotFound) != (tc.want != nil) {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, tc.want)
		}
	}
}

// late is a context whose deadline passes after it was last looked at.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

func TestLookupSurvivesTimeout(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	fill(t, entry(service4, backend4), entry(direct, direct.Reverse()))
	for range 3 {
		if _, err := table.Lookup(late{t.Context()}, service4); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want a deadline that was exceeded", err)
		}
		got, err := table.Lookup(t.Context(), direct)
		if err != nil {
			t.Fatal(err)
		}
		if got.Orig != direct {
			t.Fatalf("asked for %s, read the answer about %s", direct, got.Orig)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := table.Lookup(ended, service4); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	if err := table.ByReplySource(ended, []netip.Addr{backend4.Src.Addr()}, keepNone); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func keepNone(flow.Translation) error { return nil }

func TestLookupConcurrently(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	fill(t, entry(service4, backend4), entry(service6, backend6), entry(direct, direct.Reverse()))
	// The goroutines run in the host's namespace: only the shared socket, which
	// was opened in the test's, can know the entries.
	var wg sync.WaitGroup
	for _, asked := range []flow.Tuple{service4, backend4, service6, direct} {
		wg.Go(func() {
			for range 200 {
				got, err := table.Lookup(t.Context(), asked)
				if err != nil || got.Asked != asked || got.Orig != asked && got.Reply != asked {
					t.Errorf("asked for %s: %+v, %v", asked, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAnotherNamespaceIsRefused(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Search(t.Context(), service4); !errors.Is(err, conntrack.ErrUnavailable) {
		t.Errorf("a search from another namespace: %v, want ErrUnavailable", err)
	}
	if _, err := table.Lookup(t.Context(), service4); !errors.Is(err, conntrack.ErrNotFound) {
		t.Errorf("a lookup on the open socket: %v, want ErrNotFound", err)
	}
}

func TestOpenWithoutPrivilege(t *testing.T) {
	privtest.InNewNetNS(t)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	_, err := conntrack.Open()
	if !errors.Is(err, conntrack.ErrUnavailable) || !errors.Is(err, unix.EPERM) {
		t.Errorf("got %v, want ErrUnavailable for EPERM", err)
	}
}

func TestClosed(t *testing.T) {
	privtest.InNewNetNS(t)
	table, err := conntrack.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	if err := table.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if _, err := table.Lookup(t.Context(), service4); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want closed", err)
	}
}
