package monitoring_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

const (
	deployed = "../../../deploy/monitoring"
	docs     = "../../../docs"
)

// promtool runs it, or fails with what it says.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		privtest.Missing(t, "needs promtool (Debian's prometheus)")
	}
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestRules(t *testing.T) {
	promtool(t, "check", "rules", filepath.Join(deployed, "rules.yaml"))
	promtool(t, "test", "rules", filepath.Join(deployed, "rules_test.yaml"))
}

type rule struct {
	Record, Alert, Expr string
	Annotations         map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join(deployed, "rules.yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// TestEveryAlertFiresInACase: promtool does not notice an alert without a test.
func TestEveryAlertFiresInACase(t *testing.T) {
	var file struct {
		Tests []struct {
			Cases []struct {
				Alertname string           `json:"alertname"`
				Alerts    []map[string]any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join(deployed, "rules_test.yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if len(c.Alerts) > 0 {
				fires[c.Alertname] = true
			} else {
				silent[c.Alertname] = true
			}
		}
	}
	for _, r := range rules(t) {
		if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert]) {
			t.Errorf("%s: a case in which it fires: %v, in which it does not: %v", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

// TestRunbooks follows the links of the alerts.
func TestRunbooks(t *testing.T) {
	notInAnchor := regexp.MustCompile(`[^a-z0-9 -]`)
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		page, ok := strings.CutPrefix(r.Annotations["runbook_url"], "https://github.com/tcpstuck/tcpstuck/blob/main/docs/")
		name, anchor, linked := strings.Cut(page, "#")
		content, err := os.ReadFile(filepath.Join(docs, name))
		if !ok || err != nil {
			t.Errorf("%s: %q, %v", r.Alert, page, err)
			continue
		}
		headings := regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(strings.ToLower(string(content)), -1)
		if linked && !slices.ContainsFunc(headings, func(h []string) bool {
			return strings.ReplaceAll(notInAnchor.ReplaceAllString(h[1], ""), " ", "-") == anchor
		}) {
			t.Errorf("%s: docs/%s has no heading for #%s", r.Alert, name, anchor)
		}
	}
}

// query is one of the dashboard.
type query struct{ panel, expr string }

func queries(t *testing.T) []query {
	t.Helper()
	var dashboard struct {
		Annotations struct{ List []struct{ Name, Expr string } }
		Panels      []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join(deployed, "dashboard.json"))), &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []query
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, query{p.Title, target.Expr})
		}
	}
	for _, a := range dashboard.Annotations.List {
		all = append(all, query{a.Name, a.Expr})
	}
	return all
}

// TestDashboardParses has Prometheus's own parser read every query, with
// Grafana's variables filled in.
func TestDashboardParses(t *testing.T) {
	fill := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$node", ".*")
	var file strings.Builder
	file.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, q := range queries(t) {
		expr := fill.Replace(q.expr)
		if strings.Contains(expr, "$") {
			t.Errorf("%s: a variable that is not known here: %s", q.panel, expr)
		}
		fmt.Fprintf(&file, "  - record: query:%d\n    expr: %s\n", i, must[[]byte](t)(json.Marshal(expr)))
	}
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}

// TestDashboardShowsAFirstLoss: a series that is born with its final value has
// no increase.
func TestDashboardShowsAFirstLoss(t *testing.T) {
	i := slices.IndexFunc(queries(t), func(q query) bool { return q.panel == "Bytes never sent, by owner" })
	if i < 0 {
		t.Fatal("no such panel")
	}
	expr := strings.NewReplacer("$__rate_interval", "1m", "$node", ".*").Replace(queries(t)[i].expr)
	const series = `tcpstuck_flows_lost_bytes_total{instance="node-a",certainty="unsent",local_namespace="default",local_workload="client"}`
	type m = map[string]any
	type list = []any
	sample := func(bytes int) list {
		return list{m{"labels": `{local_namespace="default",local_workload="client"}`, "value": bytes}}
	}
	file := must[[]byte](t)(json.Marshal(m{"tests": list{m{
		"interval":     "15s",
		"input_series": list{m{"series": series, "values": "_x10 700x40"}},
		"promql_expr_test": list{
			m{"expr": expr, "eval_time": "2m"},
			m{"expr": expr, "eval_time": "3m", "exp_samples": sample(700)},
			m{"expr": expr, "eval_time": "6m", "exp_samples": sample(0)},
		},
	}}}))
	path := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "test", "rules", path)
}

// TestMetricsExist compares every name in rules and dashboard with the
// reference that is generated from the agent.
func TestMetricsExist(t *testing.T) {
	known := map[string]bool{"up": true, "ALERTS": true, "process_cpu_seconds_total": true, "process_resident_memory_bytes": true}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(string(must[[]byte](t)(os.ReadFile(filepath.Join(docs, "metrics.md")))), -1) {
		known[m[1]], known[m[1]+"_bucket"] = true, true
	}
	for _, r := range rules(t) {
		known[r.Record] = true
	}
	used := make(map[string]bool)
	note := func(where, expr string) {
		for _, name := range selectors(expr) {
			used[name] = true
			if !known[name] {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
	for _, r := range rules(t) {
		note(r.Record+r.Alert, r.Expr)
		note(r.Alert, strings.Join(inText.FindAllString(r.Annotations["description"], -1), " ")) // of its queries
	}
	for _, q := range queries(t) {
		note(q.panel, q.expr)
	}
	if len(used) < 20 {
		t.Errorf("only %v is used", used)
	}
}

var (
	name     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	inText   = regexp.MustCompile(`tcpstuck_\w+`)
	notNames = regexp.MustCompile(`"[^"]*"|\$\w+|\[[^\]]*\]|\{[^}]*\}|(?:by|without|on) \([^)]*\)`)
)

// selectors returns the names of metrics in an expression: those that look
// like one of tcpstuck, of its rules or of Prometheus itself.
func selectors(expr string) []string {
	var all []string
	for _, n := range name.FindAllString(notNames.ReplaceAllString(expr, " "), -1) {
		if strings.ContainsAny(n, "_:") && !slices.Contains([]string{"max_over_time", "last_over_time", "histogram_quantile", "sort_desc"}, n) || n == "up" || n == "ALERTS" {
			all = append(all, n)
		}
	}
	return all
}

func TestSelectors(t *testing.T) {
	got := selectors(`sum by (a_b) (x_total{c_d="e_f"}) > 0 and max_over_time(own:x:sum[5m]) unless up`)
	if diff := cmp.Diff([]string{"x_total", "own:x:sum", "up"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
