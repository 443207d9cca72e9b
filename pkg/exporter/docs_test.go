package exporter_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestMetricsReference writes docs/metrics.md from what a scrape answers.
func TestMetricsReference(t *testing.T) {
	e := exporter.New(options(flowtest.NewReader(), busyKernel()))
	ended := flowtest.Ended()
	e.Publish(flow.Event{Type: flow.EventEnded, Flow: &ended}) // some series begin with it
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range families {
		if strings.HasPrefix(name, "tcpstuck_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)

	var doc bytes.Buffer
	doc.WriteString(reference)
	for _, name := range names {
		f := families[name]
		kind := strings.ToLower(f.GetType().String())
		fmt.Fprintf(&doc, "\n### %s\n\n%s\n\n- type: %s\n", name, strings.ReplaceAll(f.GetHelp(), `\"`, `"`), kind)
		if labels := labelsOf(f); labels != "" {
			fmt.Fprintf(&doc, "- labels: %s\n", labels)
		}
		if h := f.GetMetric()[0].GetHistogram(); h != nil {
			fmt.Fprintf(&doc, "- buckets: %s\n", buckets(h))
		}
	}
	golden.Check(t, "../../docs/metrics.md", doc.Bytes())
}

const reference = `# Metrics

What the agent shows on ` + "`/metrics`" + `. This page is generated from its registry
(` + "`go test ./pkg/exporter -run TestMetricsReference -update`" + `).

Edges (which workload talks to which peer) appear on four gauges only: ` + "`tcpstuck_flows`" + `,
` + "`tcpstuck_flows_oldest_age_seconds`" + `, ` + "`tcpstuck_flows_soonest_give_up_timestamp_seconds`" + `
and ` + "`tcpstuck_unacked_bytes`" + `. ` + "`port`" + ` is the service's side: the remote
port of a client, the local port of a server, empty while the role is not known. ` + "`peer_service`" + ` is a Service, a ` + "`--name`" + ` label, or empty. No label
holds an address, an ephemeral port, a PID or an id.

Edges beyond ` + "`--max-series`" + ` share one series, with ` + "`peer_service=\"_overflow\"`" + ` and
no other label. Namespaces share the names equally, and so do the workloads of a
namespace, so owners with many edges lose names first. An edge keeps its name from
scrape to scrape while its owner keeps its share. One counter has owners as labels,
` + "`tcpstuck_flows_lost_bytes_total`" + `. The same limit holds for them, and no
namespace may have more than two thirds of it.

Any other counter that is measured is present from the start, with 0, for every value
of its labels. The Go runtime and process metrics (` + "`go_*`, `process_*`" + `) are the usual ones.
`

// labelsOf lists label names and, where they are a fixed set, their values.
func labelsOf(f *dto.MetricFamily) string {
	open := map[string]bool{"version": true, "goversion": true, "program": true, "feature": true, "sink": true}
	var out []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		name := l.GetName()
		if open[name] || strings.Contains(f.GetName(), "_flows") && len(f.GetMetric()[0].GetLabel()) > 2 || f.GetName() == "tcpstuck_unacked_bytes" {
			out = append(out, "`"+name+"`")
			continue
		}
		out = append(out, fmt.Sprintf("`%s` (%s)", name, strings.Join(valuesOf(f, name), ", ")))
	}
	return strings.Join(out, ", ")
}

func valuesOf(f *dto.MetricFamily, name string) []string {
	var values []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == name && !slices.Contains(values, l.GetValue()) {
				values = append(values, l.GetValue())
			}
		}
	}
	slices.Sort(values)
	return values
}

func buckets(h *dto.Histogram) string {
	var out []string
	for _, b := range h.GetBucket() {
		out = append(out, fmt.Sprint(b.GetUpperBound()))
	}
	return strings.Join(out, ", ")
}
