package exporter_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// countingReader counts how often findings are read: once by each answer that is
// composed.
type countingReader struct {
	*flowtest.Reader
	read atomic.Int64
	took time.Duration
}

func (r *countingReader) Facts() iter.Seq[flow.Finding] {
	r.read.Add(1)
	time.Sleep(r.took)
	return r.Reader.Facts()
}

func (r *countingReader) composed() int { return int(r.read.Load()) }

func ask(h http.Handler, encoding string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	req := httptest.NewRequest("GET", "/metrics?name[]=go_goroutines", nil)
	if encoding != "" {
		req.Header.Set("Accept-Encoding", encoding)
	}
	h.ServeHTTP(w, req)
	return w
}

func TestAYoungAnswerIsGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &countingReader{Reader: flowtest.NewReader()}
		h := exporter.New(options(r, busyKernel())).Handler()
		first := ask(h, "")
		for _, step := range []struct {
			wait     time.Duration
			encoding string
			composed int
			zipped   bool
		}{
			{0, "", 1, false},
			{999 * time.Millisecond, "", 1, false},
			{0, "gzip", 2, true}, // an encoding has an answer of its own
			{0, "deflate, gzip;q=0.5", 2, true},
			{0, "gzip;q=0", 2, false},
			{time.Millisecond, "", 3, false},
			{time.Second, "", 4, false},
		} {
			time.Sleep(step.wait)
			w := ask(h, step.encoding)
			if got := r.composed(); got != step.composed {
				t.Errorf("after %v with %q: %d composed, want %d", step.wait, step.encoding, got, step.composed)
			}
			zipped := w.Header().Get("Content-Encoding") == "gzip"
			if zipped != step.zipped {
				t.Errorf("with %q: gzip %v", step.encoding, zipped)
			}
			if !zipped && !strings.Contains(w.Body.String(), "tcpstuck_flows{") {
				t.Errorf("not the whole of the metrics: %.200s", w.Body)
			}
		}
		if got := first.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
			t.Errorf("Content-Type %s", got)
		}
	})
}

// However long it takes to compose an answer, every scrape shares it that came
// before it was done and at most a second before it began.
func TestAStormOfScrapesIsAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &countingReader{Reader: flowtest.NewReader(), took: 2 * time.Second}
		h := exporter.New(options(r, busyKernel())).Handler()
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				if w := ask(h, ""); w.Code != 200 || w.Body.Len() == 0 {
					t.Errorf("%d", w.Code)
				}
			})
		}
		group.Wait()
		if got := r.composed(); got != 1 {
			t.Errorf("%d answers were composed", got)
		}
	})
}

// A scraper that leaves waits no longer, and one that stays has its answer.
func TestAScraperThatLeavesHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &countingReader{Reader: flowtest.NewReader(), took: 3 * time.Second}
		h := exporter.New(options(r, busyKernel())).Handler()
		var group sync.WaitGroup
		group.Go(func() { ask(h, "") })
		synctest.Wait()
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		began, w := time.Now(), httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/metrics", nil))
		if took := time.Since(began); took != time.Second || w.Code != http.StatusServiceUnavailable {
			t.Errorf("it waits for %v: %d", took, w.Code)
		}
		if w := ask(h, ""); w.Code != 200 {
			t.Errorf("who stays: %d", w.Code)
		}
		group.Wait()
	})
}
