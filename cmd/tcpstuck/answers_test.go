package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// answerOf returns what an agent answers to dump.
func answerOf(tb testing.TB, r flow.Reader, query string) string {
	tb.Helper()
	w := httptest.NewRecorder()
	h := api.Handler(api.Options{Reader: r, Node: "node-a", Now: flowtest.Now})
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/flows?"+query, nil))
	return w.Body.String()
}

// says serves an agent that always gives the same answer, and returns its socket.
func says(tb testing.TB, answer func(http.ResponseWriter, *http.Request)) (socket string) {
	tb.Helper()
	socket = filepath.Join(tb.TempDir(), "agent.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(answer)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	tb.Cleanup(func() { _ = s.Close(); <-served })
	return socket
}

// Wherever an answer breaks off, nothing of it is shown: half a list would look like
// the whole.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	whole := answerOf(t, &flowtest.Reader{Live: flowtest.Findings()[:2], Sources: flowtest.Health()}, "")
	var end int
	socket := says(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, whole[:end]) })
	for end = 0; end < len(whole)-1; end += 97 {
		for _, output := range []string{"table", "json", "jsonl"} {
			if code, stdout, stderr := run("dump", "--socket", socket, "-o", output); code != exitError || stdout != "" || stderr == "" {
				t.Errorf("%s after %d bytes: %d, stdout %q, stderr %q", output, end, code, stdout, stderr)
			}
		}
	}
}

// An agent of another version may write members that this one does not know, in
// another order, and with white space. They are passed on, and the table does not
// change.
func TestAnAnswerOfAnotherAgent(t *testing.T) {
	r := &flowtest.Reader{Live: flowtest.Findings(), Sources: flowtest.Health()}
	usual := answerOf(t, r, "")
	other := strings.NewReplacer(`"apiVersion":"tcpstuck/v1","id"`, `"later":{"a":[1,{}],"b":null} , "apiVersion":"tcpstuck/v1", "id"`,
		`"timeouts":`, "\n\t\"next\" : \"\\u2192\", \"timeouts\" : ").Replace(usual)
	_, sources, _ := strings.Cut(strings.TrimSuffix(usual, "}\n"), `],"sources":`)
	head, flows, _ := strings.Cut(strings.TrimSuffix(other, `,"sources":`+sources+"}\n"), `"flows":`)
	other = `{"sources":` + sources + `,"flows":` + flows + `,` + strings.TrimSuffix(strings.TrimPrefix(head, "{"), ",") + `}`
	if other == usual || !strings.Contains(other, `"later"`) {
		t.Fatal("the other answer is the usual one")
	}
	var answer string
	socket := says(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
	for _, output := range []string{"table", "wide"} {
		answer = usual
		_, want, _ := run("dump", "--socket", socket, "-o", output)
		answer = other
		if code, got, stderr := run("dump", "--socket", socket, "-o", output); code != exitStuck || got != want {
			t.Errorf("%s: %d, %s%s, want %s", output, code, got, stderr, want)
		}
	}
	if code, got, stderr := run("dump", "--socket", socket, "-o", "json"); code != exitStuck || strings.Count(got, "\n      \"later\": {\n") != len(r.Live) {
		t.Errorf("%d, %s%s", code, got, stderr)
	}
}

// A storm takes more than one page of output, and has each flow once.
func TestAStormIsPassedOnWhole(t *testing.T) {
	r := storm(2_000)
	answer := answerOf(t, r, "")
	socket := says(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
	_, flows, _ := strings.Cut(answer, `"flows":[`)
	flows, _, _ = strings.Cut(flows, `],"sources"`)
	want := strings.ReplaceAll(flows, `},{"apiVersion"`, "}\n{\"apiVersion\"") + "\n"
	if code, got, _ := run("dump", "--socket", socket, "-o", "jsonl"); code != exitStuck || got != want {
		t.Errorf("%d, %d bytes, want %d", code, len(got), len(want))
	}
	_, got, _ := run("dump", "--socket", socket, "-o", "json")
	if n := strings.Count(got, `"apiVersion": "tcpstuck/v1",`); n != len(r.Live)+1 {
		t.Errorf("%d of %d flows", n-1, len(r.Live))
	}
	_, got, _ = run("dump", "--socket", socket, "-o", "wide")
	_, rows, _ := strings.Cut(got, "OUTCOME")
	for _, f := range r.Live {
		if n := strings.Count(rows, "\n"+f.ID.String()+"  "); n != 1 {
			t.Fatalf("%s has %d rows", f.ID, n)
		}
	}
}
