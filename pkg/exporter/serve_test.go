package exporter_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
)

// addressLog is a log that hands over the address on which the server says
// that it listens.
type addressLog struct{ addresses chan string }

func (addressLog) Enabled(context.Context, slog.Level) bool { return true }
func (l addressLog) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l addressLog) WithGroup(string) slog.Handler          { return l }
func (l addressLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "Listening on" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		l.addresses <- a.Value.String()
		return false
	})
	return nil
}

func flags(address string) *web.FlagConfig {
	addresses, systemd, file := []string{address}, false, ""
	return &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &systemd, WebConfigFile: &file}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	defer goleak.VerifyNone(t)
	log := addressLog{addresses: make(chan string, 1)}
	var ready atomic.Bool
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- exporter.Serve(ctx, exporter.ServeOptions{
			Web:     flags("127.0.0.1:0"),
			Metrics: exporter.New(options(flowtest.NewReader(), busyKernel())).Handler(),
			Ready: func() error {
				if ready.Load() {
					return nil
				}
				return errors.New("the first sweep has not ended")
			},
			Log: slog.New(log),
		})
	}()
	base := "http://" + <-log.addresses

	for _, c := range []struct {
		path string
		code int
		body string
	}{
		{"/healthz", 200, "ok\n"},
		{"/readyz", 503, "not ready: the first sweep has not ended\n"},
		{"/v1/flows", 404, ""},
		{"/debug/pprof/", 404, ""},
		{"/", 404, ""},
	} {
		code, body := get(t, base+c.path)
		if code != c.code || c.body != "" && body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.path, code, body, c.code, c.body)
		}
	}
	ready.Store(true)
	if code, body := get(t, base+"/readyz"); code != 200 || body != "ok\n" {
		t.Errorf("/readyz: %d %q", code, body)
	}
	if code, body := get(t, base+"/metrics"); code != 200 || !strings.Contains(body, "tcpstuck_flows{") {
		t.Errorf("/metrics: %d %q", code, body)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("a clean shutdown is an error: %v", err)
	}
}

func TestServeOnABusyPort(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	err = exporter.Serve(context.Background(), exporter.ServeOptions{
		Web: flags(l.Addr().String()), Metrics: http.NotFoundHandler(), Ready: func() error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want one clear error", err)
	}
}
