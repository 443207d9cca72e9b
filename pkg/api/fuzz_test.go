package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
)

// FuzzQuery asks with any method, path and query: the answer is a page, or JSON,
// and never a fault of the server.
func FuzzQuery(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/v1/flows", "state=all&muted=true&brief=false"}, {"GET", "/v1/flows", "state=%zz&muted=2"},
		{"GET", "/v1/flows", "state=live&state=all"}, {"GET", "/v1/flows", "a;b=%\x00"}, {"GET", "/v1/status", "x"},
		{"GET", "/v1/flows/1f3a", ""}, {"GET", "/v1/flows/2b", ""}, {"HEAD", "/v1/flows/../status", ""},
		{"GET", "/v1/status", ""}, {"GET", "/v1/stale", ""}, {"GET", "/v1/audit", ""}, {"POST", "/v1/flows", ""},
		{"GET", "/flows/1f3a", ""}, {"GET", "/", "\x00"}, {"GET", "/readyz", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	r := flowtest.NewReader()
	r.Live = append(flowtest.Findings(), flowtest.Suppressed(2)...)
	h := handler(r)
	f.Fuzz(func(t *testing.T, method, path, query string) {
		if strings.HasPrefix(path, "/debug/") {
			return // Go's own, and slow
		}
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Method, req.URL = method, &url.URL{Path: path, RawQuery: query}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code >= 500 && !strings.HasSuffix(path, "/audit") {
			t.Errorf("%s %q?%q: %d %s", method, path, query, w.Code, w.Body)
		}
		values, err := url.ParseQuery(query)
		if path == "/v1/flows" && w.Code == http.StatusOK && (err != nil || len(values["state"]) > 1) {
			t.Errorf("%q is answered", query)
		}
		if w.Header().Get("Content-Type") == "application/json" && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q?%q: %s", method, path, query, w.Body)
		}
	})
}
