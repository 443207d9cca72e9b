package api_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// endless has more findings than fit in memory.
type endless struct {
	flowtest.Reader
	composed atomic.Int64
}

func (r *endless) Each(flow.Selection) iter.Seq[flow.Finding] {
	return func(yield func(flow.Finding) bool) {
		for yield(flowtest.Calico()) {
			r.composed.Add(1)
		}
	}
}

func TestWhoDoesNotReadCostsWhatHisSocketHolds(t *testing.T) {
	reader := &endless{}
	conn := request(t, api.Options{Reader: reader, Log: slog.New(slog.DiscardHandler)}, "/v1/flows")
	var before int64
	for settled := 0; settled < 5; time.Sleep(50 * time.Millisecond) {
		now := reader.composed.Load()
		if settled++; now != before || now == 0 {
			settled = 0
		}
		before = now
		if now > 10_000 {
			t.Fatalf("%d findings are composed for a client that has read none", now)
		}
	}
	if _, err := io.CopyN(io.Discard, conn, 4<<20); err != nil {
		t.Errorf("it is not answered once it reads: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// timed is a connection that sees whether each write is bounded in time.
type timed struct {
	*httptest.ResponseRecorder
	left      time.Duration // until the deadline of the next write; zero: it may take for ever
	unbounded int
}

func (w *timed) SetWriteDeadline(at time.Time) error {
	w.left = time.Until(at)
	return nil
}

func (w *timed) Write(b []byte) (int, error) {
	if w.left <= 0 || w.left > 10*time.Second {
		w.unbounded++
	}
	w.left = 0
	return w.ResponseRecorder.Write(b)
}

func TestEachWriteOfAnAnswerIsBounded(t *testing.T) {
	h := api.Handler(api.Options{
		Reader: &flowtest.Reader{Live: flowtest.Crowd(200, 10)}, Log: slog.New(slog.DiscardHandler), Now: flowtest.Now,
		Audit: func() (audit.Report, error) { return flowtest.Audit(), nil },
	})
	for _, target := range []string{"/", "/v1/flows", "/v1/flows/1", "/v1/status", "/v1/stale", "/v1/audit", "/nowhere"} {
		w := &timed{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.unbounded > 0 || w.Body.Len() == 0 {
			t.Errorf("%s: %d writes may wait for ever, of %d bytes", target, w.unbounded, w.Body.Len())
		}
	}
}

func TestAuditsTakeTurns(t *testing.T) {
	entered, open := make(chan struct{}, 10), make(chan struct{})
	o := api.Options{Reader: flowtest.NewReader(), Log: slog.New(slog.DiscardHandler), Audit: func() (audit.Report, error) {
		entered <- struct{}{}
		<-open
		return audit.Report{}, nil
	}}
	socket := serveOn(t, o)
	for range 3 {
		_, _ = fmt.Fprint(dial(t, socket), "GET /v1/audit HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	<-entered
	select {
	case <-entered:
		t.Error("two audits at once")
	case <-time.After(200 * time.Millisecond):
	}
	close(open)
	<-entered
	<-entered
}

// request sends a request and does not read the answer.
func request(t *testing.T, o api.Options, path string) net.Conn {
	t.Helper()
	conn := dial(t, serveOn(t, o))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	return conn
}

func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// serveOn serves an API until the test ends.
func serveOn(t *testing.T, o api.Options) (socket string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	socket = filepath.Join(t.TempDir(), "s")
	l, err := api.ListenUnix(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- door.Serve(ctx, l, api.Handler(o), o.Log) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return socket
}
