package api_test

import (
	"context"
	"iter"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// idReader has many ids, and composes nothing.
type idReader struct {
	flowtest.Reader
	t       *testing.T
	mu      sync.Mutex
	reading int
	took    time.Duration
	asked   []flow.ID
}

func (r *idReader) Each(flow.Selection) iter.Seq[flow.Finding] {
	r.t.Error("flows are composed to compare ids")
	return func(func(flow.Finding) bool) {}
}

func (r *idReader) IDs() []flow.ID {
	r.mu.Lock()
	r.reading++
	if r.reading > 1 {
		r.t.Error("two look through all ids at once")
	}
	r.mu.Unlock()
	time.Sleep(r.took)
	r.mu.Lock()
	r.reading--
	r.mu.Unlock()
	ids := make([]flow.ID, 100_000)
	for i := range ids {
		ids[i] = flow.ID(0x100000 + i)
	}
	return ids
}

func (r *idReader) Finding(id flow.ID) (flow.Finding, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, id)
	if id < 0x100000 {
		return flow.Finding{}, false
	}
	f := flowtest.Calico()
	f.ID = id
	return f, true
}

// A beginning of an id costs neither memory nor a second flow.
func TestABeginningIsComparedWithIdsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &idReader{t: t, took: 100 * time.Millisecond}
		h := api.Handler(api.Options{Reader: r, Log: slog.New(slog.DiscardHandler)})
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if w := ask(h, "GET", "/v1/flows/1"); w.Code != 409 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
			group.Go(func() {
				if w := ask(h, "GET", "/flows/10000"); w.Code != 409 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		group.Wait()
		for _, id := range r.asked {
			if id != 0x1 && id != 0x10000 {
				t.Errorf("flow %s is composed", id)
			}
		}
		if w := ask(h, "GET", "/v1/flows/10abc"); w.Code != 409 || w.Body.String() != `{"error":"several flows have ids that begin with 10abc: 10abc0, 10abc1, 10abc2, 10abc3, 10abc4 and 11 more"}`+"\n" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A caller that leaves while others search waits no longer, and does not search.
func TestASearchStopsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &idReader{t: t, took: 2 * time.Second}
		h := api.Handler(api.Options{Reader: r, Log: slog.New(slog.DiscardHandler)})
		for _, c := range []struct {
			name  string
			first bool // another caller searches already
			left  time.Duration
		}{{"in its turn", true, time.Second}, {"while it looks", false, 2 * time.Second}} {
			var group sync.WaitGroup
			if c.first {
				group.Go(func() { ask(h, "GET", "/v1/flows/1") })
				synctest.Wait()
			}
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			began, w := time.Now(), httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v1/flows/1", nil))
			if took := time.Since(began); took != c.left || w.Code != 503 {
				t.Errorf("%s: %d after %v", c.name, w.Code, took)
			}
			leave()
			group.Wait()
		}
	})
}

// A list of flows none of which is wanted stops with its caller, too.
func TestAListStopsWithItsCaller(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	r := &suppressedOnly{leave: leave}
	h := api.Handler(api.Options{Reader: r, Log: slog.New(slog.DiscardHandler)})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/v1/flows", nil))
	if r.composed > 11 {
		t.Errorf("%d flows are composed for nobody", r.composed)
	}
}

// suppressedOnly has findings without an end that are counted only. Its caller
// leaves after ten.
type suppressedOnly struct {
	flowtest.Reader
	composed int
	leave    func()
}

func (r *suppressedOnly) Each(flow.Selection) iter.Seq[flow.Finding] {
	f := flowtest.Suppressed(1)[0]
	return func(yield func(flow.Finding) bool) {
		for r.composed < 10_000 && yield(f) {
			if r.composed++; r.composed == 10 {
				r.leave()
			}
		}
	}
}
