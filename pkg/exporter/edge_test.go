package exporter_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// edges returns the tcpstuck_flows series of a scrape.
func edges(scraped string) []string {
	return regexp.MustCompile(`(?m)^tcpstuck_flows\{.*$`).FindAllString(scraped, -1)
}

// shop returns n findings of one client workload that talks to one Service.
func shop(service string, n int) []flow.Finding {
	fs := make([]flow.Finding, n)
	for i := range fs {
		fs[i] = flowtest.Calico()
		fs[i].Peer.Service = service
	}
	return fs
}

func TestEdgesBeyondTheLimitFallIntoOneBucket(t *testing.T) {
	var fs []flow.Finding
	fs = append(fs, shop("b", 2)...)
	fs = append(fs, shop("a", 2)...)
	fs = append(fs, shop("d", 1)...)
	fs = append(fs, shop("z", 3)...)
	fs = append(fs, shop("e", 1)...)
	r := &flowtest.Reader{Live: fs}
	opts := options(r, kernel{})
	opts.MaxSeries = 3
	e := exporter.New(opts)

	edge := func(service string, n int) string {
		return fmt.Sprintf(`tcpstuck_flows{cause="StaleConntrack",local_namespace="default",local_workload="client",local_workload_kind="Deployment",`+
			`peer="service",peer_namespace="default",peer_service="%s",port="8000",role="client",symptom="Retransmitting"} %d`, service, n)
	}
	want := []string{
		`tcpstuck_flows{cause="",local_namespace="",local_workload="",local_workload_kind="",peer="",peer_namespace="",peer_service="_overflow",port="",role="",symptom=""} 2`,
		edge("a", 2), edge("b", 2), edge("z", 3),
	}
	for range 5 {
		got := scrape(t, e)
		if diff := cmp.Diff(want, edges(got)); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
		if !strings.Contains(got, "tcpstuck_series_overflowed_total 2\n") {
			t.Fatal("each scrape counts the same two edges again, or none")
		}
	}
	r.Live = append(r.Live, shop("f", 1)...)
	if got := scrape(t, e); !strings.Contains(got, "tcpstuck_series_overflowed_total 3\n") {
		t.Error("the edge that was folded last is not counted")
	}
}

func TestAnEdgeGoesWithItsFlows(t *testing.T) {
	r := &flowtest.Reader{Live: shop("a", 1)}
	e := exporter.New(options(r, kernel{}))
	if n := len(edges(scrape(t, e))); n != 1 {
		t.Fatalf("%d edges, want 1", n)
	}
	r.Live = nil
	if n := len(edges(scrape(t, e))); n != 0 {
		t.Errorf("%d edges of flows that are gone", n)
	}
}

func TestSuppressedFlowsAreCountedOnly(t *testing.T) {
	got := scrape(t, exporter.New(options(&flowtest.Reader{Live: flowtest.Suppressed(100)}, kernel{})))
	if n := len(edges(got)); n != 0 {
		t.Errorf("%d edges of suppressed flows", n)
	}
	for _, want := range []string{"tcpstuck_external_server_flows 100\n", "tcpstuck_closing_flows 1\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestOldestAgeAndUnackedBytes(t *testing.T) {
	fs := shop("a", 3)
	fs[1].Since = flowtest.Now().Add(-time.Minute)
	fs[2].Since = time.Time{}
	fs[2].Unacknowledged = 100
	got := scrape(t, exporter.New(options(&flowtest.Reader{Live: fs}, kernel{})))
	for _, want := range []string{`tcpstuck_flows_oldest_age_seconds\{.*\} 60\n`, `tcpstuck_unacked_bytes\{.*\} 112\n`} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no %s", want)
		}
	}
}

func TestSoonestGiveUp(t *testing.T) {
	const name = "tcpstuck_flows_soonest_give_up_timestamp_seconds"
	in := func(d time.Duration) flow.GivesUp { return flow.GivesUp{At: flowtest.Now().Add(d)} }
	for what, c := range map[string]struct {
		ends []flow.GivesUp
		want time.Duration // after now; 0: no series
	}{
		"the first of two":        {[]flow.GivesUp{in(time.Minute), in(2 * time.Minute)}, time.Minute},
		"the last of two":         {[]flow.GivesUp{in(2 * time.Minute), in(time.Minute)}, time.Minute},
		"the one that is known":   {[]flow.GivesUp{{}, in(time.Minute), {Never: true}}, time.Minute},
		"never, and not known":    {[]flow.GivesUp{{Never: true}, {}}, 0},
		"an instant that is over": {[]flow.GivesUp{in(-time.Second)}, -time.Second},
	} {
		t.Run(what, func(t *testing.T) {
			fs := shop("a", len(c.ends))
			for i := range fs {
				fs[i].GivesUp = c.ends[i]
			}
			got := regexp.MustCompile(name + `\{.*\} (\S+)`).FindStringSubmatch(scrape(t, exporter.New(options(&flowtest.Reader{Live: fs}, kernel{}))))
			if c.want == 0 {
				if got != nil {
					t.Errorf("%s", got[0])
				}
				return
			}
			want := strconv.FormatFloat(float64(flowtest.Now().Add(c.want).UnixMilli())/1000, 'g', -1, 64)
			if got == nil || got[1] != want {
				t.Errorf("%v, want %s", got, want)
			}
		})
	}
}

// TestNoLabelTellsAboutASingleFlow makes flows whose addresses, ephemeral
// ports, PIDs and ids are numbers that occur nowhere else, and looks for
// them in every label of a scrape.
func TestNoLabelTellsAboutASingleFlow(t *testing.T) {
	const seed = 20260301
	rnd := rand.New(rand.NewPCG(seed, seed))
	roles := []flow.Role{flow.Client, flow.Server, ""}
	pick := func(n int) netip.Addr {
		return netip.AddrFrom4([4]byte{203, 0, 113, byte(n)})
	}
	r := &flowtest.Reader{}
	secrets := make(map[string]bool)
	for i := range 2000 {
		f := flowtest.Findings()[rnd.IntN(5)]
		f.Role = roles[rnd.IntN(len(roles))]
		f.ID = flow.ID(0xdead0000 + i)
		f.Local.PID = uint32(4_000_000 + i)
		ephemeral := uint16(32768 + rnd.IntN(28000))
		local, peer := ephemeral, uint16(8000)
		if f.Role == flow.Server {
			local, peer = peer, ephemeral
		}
		if f.Role == "" {
			peer = ephemeral
		}
		f.Local.Addr = netip.AddrPortFrom(pick(i%200), local)
		f.Peer.Addr = netip.AddrPortFrom(pick(i%200), peer)
		if f.Backend != nil {
			b := *f.Backend
			b.Addr = netip.AddrPortFrom(pick(i%200), peer)
			f.Backend = &b
		}
		r.Live = append(r.Live, f)
		for _, s := range []string{fmt.Sprint(ephemeral), fmt.Sprint(f.Local.PID), f.ID.String()} {
			secrets[s] = true
		}
	}
	e := exporter.New(options(r, busyKernel()))
	for i := range r.Live {
		e.Publish(flow.Event{Type: flow.EventStuck, Flow: &r.Live[i]})
		e.Publish(flow.Event{Type: flow.EventEnded, Flow: &r.Live[i]})
	}
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	for line := range strings.Lines(scrape(t, e)) {
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			if m[1] != "le" && (secrets[m[2]] || strings.Contains(m[2], "203.0.113.")) {
				t.Errorf("label %s tells %s", m[1], m[2])
			}
		}
	}
}

func TestALabelThatIsNotUTF8DoesNotEndTheAgent(t *testing.T) {
	fs := shop("", 1)
	fs[0].Peer.Name = "caf\xe9"
	if n := len(edges(scrape(t, exporter.New(options(&flowtest.Reader{Live: fs}, kernel{}))))); n != 1 {
		t.Errorf("%d edges, want 1", n)
	}
}
