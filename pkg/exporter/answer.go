package exporter

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// youngFor is how old the latest answer may be when a scrape comes that gets
	// it.
	youngFor = time.Second
	// scrapeTimeout is how long a scrape waits for its turn, and then for its
	// scraper to read the answer.
	scrapeTimeout = 10 * time.Second
)

// answers serves /metrics. It composes one answer at a time, and at most one a
// second in each encoding, however many scrapes come. All scrapes within that
// second share its bytes, so that a scraper that does not read costs the agent
// nothing but its connection.
type answers struct {
	compose http.Handler
	turn    chan struct{}
	latest  map[string]*answer // by encoding; for the scrape that has the turn
}

// answer is what a scrape gets. It does not change once it is composed.
type answer struct {
	began  time.Time
	code   int
	header http.Header
	body   bytes.Buffer
}

func newAnswers(compose http.Handler) *answers {
	return &answers{compose: compose, turn: make(chan struct{}, 1), latest: map[string]*answer{}}
}

// ServeHTTP answers a scrape, always with all metrics: a query selects nothing.
func (s *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.answer(r.Context(), encoding(r.Header))
	if err != nil {
		http.Error(w, "too many scrapes", http.StatusServiceUnavailable)
		return
	}
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	header.Set("Content-Length", strconv.Itoa(a.body.Len()))
	// An error means that there is no connection to wait for.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapeTimeout))
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body.Bytes()) // an error means that the scraper has left
}

// answer returns the latest answer if it was young when the scrape came, else
// a new one. An error means that the turn did not come in time.
func (s *answers) answer(ctx context.Context, encoding string) (*answer, error) {
	came := time.Now()
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if a := s.latest[encoding]; a != nil && came.Sub(a.began) < youngFor {
		return a, nil
	}
	a := &answer{began: time.Now(), code: http.StatusOK, header: http.Header{}}
	s.compose.ServeHTTP(a, &http.Request{
		Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{"Accept-Encoding": {encoding}},
	})
	if a.code == http.StatusOK {
		s.latest[encoding] = a
	}
	return a, nil
}

// encoding returns the content coding of the answer to a scrape.
func encoding(h http.Header) string {
	for _, offer := range strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(offer, " ", ""), ";q=")
		if q, err := strconv.ParseFloat(weight, 64); strings.EqualFold(name, "gzip") && (weight == "" || err == nil && q > 0) {
			return "gzip"
		}
	}
	return "identity"
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) { a.code = code }
