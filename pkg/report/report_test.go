package report_test

import (
	"bytes"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

func view(fs ...flow.Finding) report.View {
	return report.View{Now: flowtest.Now(), Node: "node-a", Flows: fs, Sources: flowtest.Health()}
}

func TestDump(t *testing.T) {
	healthy := view()
	healthy.Sources[2] = flow.Health{Source: flow.SourceCluster, Up: true}
	counted := view()
	counted.Suspects, counted.Counted = 1, map[flow.Suppression]int{flow.SuppressedExternalClient: 100, flow.SuppressedClosing: 1}
	node := view(append(flowtest.Findings(), flowtest.Crowd(37, 12)...)...)
	node.Suspects = 2
	all := view(append(append(flowtest.Findings(), flowtest.Suppressed(60)...), flowtest.Ended())...)

	for _, c := range []struct {
		name  string
		view  report.View
		width int
		write func(*bytes.Buffer, report.View, int) error
	}{
		{"nothing", healthy, 100, table},
		{"counted", counted, 100, table},
		{"only-ended", view(flowtest.Ended()), 100, table},
		{"truncated", view(flowtest.Truncated()), 100, table},
		{"one", view(flowtest.Calico()), 120, table},
		{"node-80", node, 80, table},
		{"node-120", node, 120, table},
		{"all", all, 100, table},
		{"storm", view(flowtest.Crowd(1234, 40)...), 100, table},
		{"scattered", view(scattered(30)...), 100, table},
		{"wide", all, 120, wide},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := c.write(&out, c.view, c.width); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/dump-"+c.name+".golden", out.Bytes())
		})
	}
}

// scattered returns n flows, each stuck somewhere else.
func scattered(n int) []flow.Finding {
	fs := flowtest.Crowd(n, 1)
	for i := range fs {
		fs[i].Backend.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 136, byte(10 + i)}), 8000)
	}
	return fs
}

func table(out *bytes.Buffer, v report.View, width int) error { return report.Dump(out, v, width) }
func wide(out *bytes.Buffer, v report.View, width int) error  { return report.DumpWide(out, v, width) }

func TestExplain(t *testing.T) {
	bare := flow.Finding{ID: 1, Symptom: flow.Retransmitting, Cause: flow.Unknown}
	recovered := flowtest.Egress()
	recovered.Outcome, recovered.EndedAt = flow.Recovered, recovered.At
	for name, f := range map[string]flow.Finding{
		"calico": flowtest.Calico(), "egress": flowtest.Egress(), "unknown": flowtest.Unknown(), "never": flowtest.Never(),
		"accepted": flowtest.Accepted(), "ended": flowtest.Ended(), "recovered": recovered, "bare": bare, "truncated": flowtest.Truncated(),
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := report.Explain(&out, f, flowtest.Now(), 100); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/explain-"+name+".golden", out.Bytes())
		})
	}
}

func TestExplainNeverBreaksACommand(t *testing.T) {
	f := flowtest.Calico()
	var out bytes.Buffer
	if err := report.Explain(&out, f, flowtest.Now(), 40); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), f.Advice[0].Now) {
		t.Errorf("the command cannot be pasted:\n%s", out.String())
	}
}

func TestSummaryLine(t *testing.T) {
	host := flowtest.Unknown()
	two := []flow.Finding{flowtest.Never(), flowtest.Never()}
	for _, c := range []struct {
		name string
		in   []flow.Finding
		want string
	}{
		{"many of many", flowtest.Crowd(37, 12), "37 flows of 12 workloads → 192.168.136.2:8000 (pod server-7d9c4b6f5-qk2jm, deleted 14:02:11), first gives up in 11m40s"},
		{"many of one", flowtest.Crowd(3, 1), "3 flows of default/client-00 → 192.168.136.2:8000 (pod server-7d9c4b6f5-qk2jm, deleted 14:02:11), first gives up in 11m40s"},
		{"one", flowtest.Crowd(1, 1), "1 flow of default/client-00 → 192.168.136.2:8000 (pod server-7d9c4b6f5-qk2jm, deleted 14:02:11), gives up in 11m40s"},
		{"label", []flow.Finding{flowtest.Egress()}, "1 flow of shop/orders → orders-db (203.0.113.5:5432), gives up in 25s"},
		{"host process", []flow.Finding{host}, "1 flow of kubelet → 172.18.0.2:6443"},
		{"never", two[:1], "1 flow of batch/exporter → [fd00:10:244:2::7]:9000 (pod batch/sink-0, still listed), never gives up"},
		{"none ever", two, "2 flows of batch/exporter → [fd00:10:244:2::7]:9000 (pod batch/sink-0, still listed), none ever gives up"},
		{"accepted", []flow.Finding{flowtest.Accepted()}, "1 flow of edge/gateway ← 192.168.136.30 (pod default/crawler-1, deleted 14:01:43), never gives up"},
	} {
		groups := report.Summarize(c.in)
		if len(groups) != 1 {
			t.Errorf("%s: %d groups", c.name, len(groups))
			continue
		}
		if diff := cmp.Diff(c.want, groups[0].Line(flowtest.Now())); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}

func TestSummaryIsWorstFirst(t *testing.T) {
	fs := append(flowtest.Findings(), flowtest.Crowd(3, 2)...)
	fs = append(fs, flowtest.Ended())
	fs = append(fs, flowtest.Suppressed(50)...)
	var got []string
	for _, g := range report.Summarize(fs) {
		got = append(got, string(g.Cause))
	}
	want := []string{"StaleConntrack", "PeerSilent", "PeerDeleted", "SlowReader", "Unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestTimesAreUTCWhateverTheReadersZone(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	f := flowtest.Calico()
	f.GivesUp.At = flowtest.Now().Add(12 * time.Hour)
	got := report.NewRow(f, flowtest.Now().In(zone)).GivesUp
	if want := "gives up in 12h (2026-03-02 02:02:23)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestTheZoneIsNamedOnce: a reader must neither guess the zone nor read it with
// each time.
func TestTheZoneIsNamedOnce(t *testing.T) {
	zoned := regexp.MustCompile(`\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)`)
	v := view(append(flowtest.Findings(), flowtest.Ended())...)
	v.Started = flowtest.Now().Add(-26 * time.Hour)
	past := v
	past.Flows = []flow.Finding{flowtest.Ended()}
	for name, write := range map[string]func(io.Writer) error{
		"dump":       func(w io.Writer) error { return report.Dump(w, v, 100) },
		"nodes":      func(w io.Writer) error { return report.DumpNodes(w, []report.View{v, v}, 2, v.Now, 100) },
		"ended":      func(w io.Writer) error { return report.Ended(w, past, time.Time{}, 100) },
		"ended of":   func(w io.Writer) error { return report.Ended(w, past, v.Now.Add(-time.Hour), 100) },
		"live flow":  func(w io.Writer) error { return report.Explain(w, flowtest.Calico(), v.Now, 100) },
		"ended flow": func(w io.Writer) error { return report.Explain(w, flowtest.Ended(), v.Now, 100) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		if n := len(zoned.FindAllString(out.String(), -1)); n != 1 {
			t.Errorf("%s names the zone %d times:\n%s", name, n, out.String())
		}
	}
}

func TestAgeGoesOnAfterTheLastReading(t *testing.T) {
	live, ended := flowtest.Calico(), flowtest.Ended()
	later := flowtest.Now().Add(time.Minute)
	if got := report.NewRow(live, later).Age; got != "1m12s" {
		t.Errorf("live: %s", got)
	}
	if got := report.NewRow(ended, later).Age; got != "16m" {
		t.Errorf("ended: %s", got)
	}
}

func TestDumpKeepsItsWidth(t *testing.T) {
	for _, width := range []int{80, 100, 120} {
		var out bytes.Buffer
		if err := report.Dump(&out, view(append(flowtest.Findings(), flowtest.Ended())...), width); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(line) - 1; n > width {
				t.Errorf("%d characters, %d asked for: %s", n, width, line)
			}
		}
	}
}

func TestAProcessCannotPaintTheTerminal(t *testing.T) {
	f := flowtest.Unknown()
	f.Local.Comm = "\x1b[2Jsh\r\u009b"
	var out bytes.Buffer
	for _, write := range []func() error{
		func() error { return report.Dump(&out, view(f), 80) },
		func() error { return report.DumpWide(&out, view(f), 80) },
		func() error { return report.Explain(&out, f, flowtest.Now(), 80) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\r\u009b") {
		t.Errorf("%q", out.String())
	}
	if !strings.Contains(out.String(), "?[2Jsh??[812]") {
		t.Errorf("the process is not named:\n%s", out.String())
	}
}
