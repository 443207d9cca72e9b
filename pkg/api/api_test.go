package api_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func handler(r flow.Reader) http.Handler {
	return api.Handler(api.Options{
		Reader: r, Version: "v0.1.0", BootID: "boot", Node: "node-a", Now: flowtest.Now, Log: slog.New(slog.DiscardHandler),
	})
}

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// ids returns the ids of a FlowList, the suppressed ones of Suppressed(2) included.
func ids(t *testing.T, w *httptest.ResponseRecorder) []string {
	t.Helper()
	var list api.FlowList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if list.APIVersion != flow.APIVersion || len(list.Sources) != len(flow.Sources()) {
		t.Errorf("apiVersion %q, %d sources", list.APIVersion, len(list.Sources))
	}
	var got []string
	for _, f := range list.Flows {
		got = append(got, f.ID.String())
	}
	return got
}

func TestFlows(t *testing.T) {
	r := flowtest.NewReader()
	r.Live = append(flowtest.Findings(), flowtest.Suppressed(2)...)
	live := []string{"1f3a", "2b01", "2b7c", "31d4", "4400"}
	suppressed := []string{"a000", "a001", "b000"}
	for target, want := range map[string][]string{
		"/v1/flows":             live,
		"/v1/flows?state=live":  live,
		"/v1/flows?muted=true":  append(append([]string{}, live...), suppressed...),
		"/v1/flows?state=ended": {"1e00"},
		"/v1/flows?state=ended&ended_after=2026-03-01T13:58:00Z": {"1e00"},
		"/v1/flows?state=ended&ended_after=2026-03-01T13:59:00Z": nil,
		"/v1/flows?state=all":            append(append([]string{}, live...), "1e00"),
		"/v1/flows?state=all&muted=true": append(append(append([]string{}, live...), suppressed...), "1e00"),
	} {
		w := ask(handler(r), "GET", target)
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", target, w.Code, w.Header())
		}
		if diff := cmp.Diff(want, ids(t, w)); diff != "" {
			t.Errorf("%s: -want +got\n%s", target, diff)
		}
	}
	if got := ask(handler(&flowtest.Reader{}), "GET", "/v1/flows").Body.String(); got != `{"apiVersion":"tcpstuck/v1","node":"node-a","agent_started_at":null,"suspects":0,`+
		`"counted":{"at-risk":0,"closing":0,"external-client":0},"flows":[],"sources":[]}`+"\n" {
		t.Errorf("nothing is %s", got)
	}
}

func TestOneFlow(t *testing.T) {
	r := flowtest.NewReader()
	r.Past = append(r.Past, flowtest.Calico()) // it was stuck before
	for id, want := range map[string]string{"1f3a": "1f3a", "1F3A": "1f3a", "1f": "1f3a", "1e00": "1e00", "b": "b000"} {
		w := ask(handler(r), "GET", "/v1/flows/"+id)
		var f flow.Finding
		if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil || w.Code != 200 || f.ID.String() != want {
			t.Errorf("%s: %d %s, %v", id, w.Code, f.ID, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		method, target string
		code           int
		error          string
	}{
		{"GET", "/v1/flows/77", 404, "no flow has an id that begins with 77: it is not stuck, or it ended long ago"},
		{"GET", "/v1/flows/2b", 409, "several flows have ids that begin with 2b: 2b01, 2b7c"},
		{"GET", "/v1/flows/a0", 409, "several flows have ids that begin with a0: a000, a001, a002, a003, a004 and 95 more"},
		{"GET", "/v1/flows/server", 400, `flow id "server" is not a hexadecimal number`},
		{"GET", "/v1/flows?state=dead", 400, `state is "dead", not live, ended or all`},
		{"GET", "/v1/flows?ended_after=noon", 400, `ended_after is "noon", not a time as 2006-01-02T15:04:05Z`},
		{"GET", "/v1/flows?muted=perhaps", 400, `muted is "perhaps", not true or false`},
		{"GET", "/v1/flows?brief=perhaps", 400, `brief is "perhaps", not true or false`},
		{"GET", "/v1/flows?rows=perhaps", 400, `rows is "perhaps", not true or false`},
		{"GET", "/v1/flows?state=%zz", 400, `read the query: invalid URL escape "%zz"`},
		{"GET", "/v1/flows?state=all;muted=true", 400, "read the query: invalid semicolon separator in query"},
		{"GET", "/v1/flows?state=live&state=all", 400, "state is given 2 times"},
		{"GET", "/v1/flows?muted=true&muted=true", 400, "muted is given 2 times"},
		{"GET", "/v1/flows?sate=ended", 400, `there is no parameter "sate"`},
		{"GET", "/v1/flows?State=ended", 400, `there is no parameter "State"`},
		{"GET", "/v1/flows/1f3a?brief=true", 400, `there is no parameter "brief"`},
		{"GET", "/v1/status?%zz", 400, `read the query: invalid URL escape "%zz"`},
		{"GET", "/v1/stale?state=all", 400, `there is no parameter "state"`},
		{"GET", "/v1/audit?node=a", 400, `there is no parameter "node"`},
		{"GET", "/v2/flows", 404, "there is nothing at /v2/flows"},
		{"GET", "/metrics", 404, "there is nothing at /metrics"},
		{"DELETE", "/v1/flows/1f3a", 405, "this API only reads"},
		{"POST", "/", 405, "this API only reads"},
	} {
		w := ask(handler(flowtest.NewReader()), c.method, c.target)
		want, err := json.Marshal(map[string]string{"error": c.error})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want)+"\n", w.Body.String()); w.Code != c.code || diff != "" {
			t.Errorf("%s %s: %d, -want +got\n%s", c.method, c.target, w.Code, diff)
		}
	}
}

func TestStatus(t *testing.T) {
	w := ask(handler(flowtest.NewReader()), "GET", "/v1/status")
	golden.Check(t, "testdata/status.golden", w.Body.Bytes())
}

func TestPage(t *testing.T) {
	r := flowtest.NewReader()
	hostile := flowtest.Unknown()
	hostile.ID, hostile.Local.Comm = 0x666, `<script>alert("comm")</script>`
	r.Live = append(r.Live, hostile)
	for name, target := range map[string]string{"index": "/", "story": "/flows/1f3a"} {
		w := ask(handler(r), "GET", target)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %s", target, w.Code, w.Header())
		}
		if strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%s: there is a script", target)
		}
		golden.Check(t, "testdata/"+name+".html.golden", w.Body.Bytes())
	}
	if w := ask(handler(r), "GET", "/flows/77"); w.Code != 404 || !strings.Contains(w.Body.String(), "no flow has an id") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(handler(&flowtest.Reader{}), "GET", "/"); !strings.Contains(w.Body.String(), "No flow is stuck.") {
		t.Error(w.Body)
	}
}

func TestPageStaysSmall(t *testing.T) {
	w := ask(handler(&flowtest.Reader{Live: flowtest.Crowd(700, 10)}), "GET", "/")
	if n := strings.Count(w.Body.String(), `<a href="/flows/`); n != 500 {
		t.Errorf("%d rows", n)
	}
	if !strings.Contains(w.Body.String(), "and 200 more") {
		t.Error("the page does not say that it is cut")
	}
}

// A process that may open a port of loopback, as every pod on the host's network
// may, must not make the agent trace itself.
func TestProfilesAreOfferedWhereTheyAreWanted(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		h := api.Handler(api.Options{Reader: flowtest.NewReader(), Profiles: wanted, Log: slog.New(slog.DiscardHandler)})
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline", "/debug/pprof/symbol"} {
			w := ask(h, "GET", path)
			if offered := w.Code == 200; offered != wanted || !wanted && w.Code != 404 {
				t.Errorf("%s where profiles are wanted: %v: %d %s", path, wanted, w.Code, w.Body)
			}
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	h := api.LoopbackOnly(handler(flowtest.NewReader()))
	for host, want := range map[string]int{
		"127.0.0.1:9798": 200, "127.0.0.1": 200, "localhost:9798": 200, "[::1]:9798": 200, "[::1]": 200, "127.9.9.9": 200,
		"attacker.example": 403, "attacker.example:9798": 403, "127.0.0.1.attacker.example": 403, "10.0.0.1:9798": 403, "": 403, "0.0.0.0": 403,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestBriefFlowsLeaveTheStoreAlone(t *testing.T) {
	r := flowtest.NewReader()
	if s := ask(handler(r), "GET", "/v1/flows?brief=true").Body.String(); strings.Contains(s, "conntrack -D") {
		t.Error("the advice is there")
	}
	if diff := cmp.Diff(flowtest.Calico().Evidence, r.Live[0].Evidence); diff != "" {
		t.Errorf("the finding in the store has changed: -want +got\n%s", diff)
	}
}

// BenchmarkFlows is what dump costs in a storm, both ends together.
func BenchmarkFlows(b *testing.B) {
	h := handler(&flowtest.Reader{Live: flowtest.Crowd(15000, 100)})
	for _, target := range []string{"/v1/flows", "/v1/flows?brief=true"} {
		b.Run(target, func(b *testing.B) {
			for b.Loop() {
				w := ask(h, "GET", target)
				var list api.FlowList
				if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestProbes(t *testing.T) {
	var notYet error
	h := api.Handler(api.Options{Reader: flowtest.NewReader(), Ready: func() error { return notYet }, Log: slog.New(slog.DiscardHandler)})
	for _, c := range []struct {
		target string
		err    error
		code   int
		body   string
	}{
		{"/healthz", nil, 200, "ok\n"},
		{"/healthz", errors.New("it looks"), 200, "ok\n"},
		{"/readyz", nil, 200, "ok\n"},
		{"/readyz", errors.New("it looks"), 503, "not ready: it looks\n"},
	} {
		notYet = c.err
		if w := ask(h, "GET", c.target); w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s with %v: %d %q", c.target, c.err, w.Code, w.Body)
		}
	}
	if w := ask(handler(flowtest.NewReader()), "GET", "/readyz"); w.Code != 200 {
		t.Errorf("without a function: %d", w.Code)
	}
}

// An agent that has not looked yet reports nothing about flows: neither that
// there are none, nor that one is not among them.
func TestNoFlowIsReportedBeforeTheAgentIsReady(t *testing.T) {
	for target, want := range map[string]int{
		"/v1/flows": 503, "/v1/flows?state=ended": 503, "/v1/flows/1f3a": 503, "/v1/flows/77": 503, "/v1/stale": 503, "/v1/status": 503,
		"/": 503, "/flows/1f3a": 503, "/v1/audit": 200, "/healthz": 200, "/debug/pprof/cmdline": 200,
	} {
		notYet := errors.New("it looks")
		h := api.Handler(api.Options{
			Reader: flowtest.NewReader(), Ready: func() error { return notYet }, Log: slog.New(slog.DiscardHandler),
			Audit: func() (audit.Report, error) { return flowtest.Audit(), nil }, Profiles: true,
		})
		w := ask(h, "GET", target)
		if w.Code != want || want == 503 && w.Body.String() != `{"error":"not ready: it looks"}`+"\n" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
		notYet = nil
		if w := ask(h, "GET", target); w.Code == 503 {
			t.Errorf("%s of an agent that is ready: %d %s", target, w.Code, w.Body)
		}
	}
}
