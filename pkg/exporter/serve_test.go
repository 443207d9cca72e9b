package exporter_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
)

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
	l, err := door.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var ready atomic.Bool
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- exporter.Serve(ctx, exporter.ServeOptions{
			Listeners: []net.Listener{door.Guard(l, door.MostPlaces)},
			Metrics:   exporter.New(options(flowtest.NewReader(), busyKernel())).Handler(),
			Ready: func() error {
				if ready.Load() {
					return nil
				}
				return errors.New("the first file scan has not ended")
			},
			Log: slog.New(slog.DiscardHandler),
		})
	}()
	base := "http://" + l.Addr().String()

	for _, c := range []struct {
		path string
		code int
		body string
	}{
		{"/healthz", 200, "ok\n"},
		{"/readyz", 503, "not ready: the first file scan has not ended\n"},
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

// TestEachPortAsksForThePassword: two ports share a configuration, and no
// server.
func TestEachPortAsksForThePassword(t *testing.T) {
	defer goleak.VerifyNone(t)
	config := filepath.Join(t.TempDir(), "web.yml")
	const users = "basic_auth_users:\n  alice: $2b$04$abcdefghijklmnopqrstuuCiRP6uwuebOgMsb3sB1n0pjVVBf0O3K\n" // alice123
	if err := os.WriteFile(config, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := exporter.CheckConfig(config); err != nil {
		t.Fatal(err)
	}
	var listeners []net.Listener
	for range 2 {
		l, err := door.Listen(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, door.Guard(l, door.MostPlaces))
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- exporter.Serve(ctx, exporter.ServeOptions{
			Config: config, Listeners: listeners, Metrics: http.NotFoundHandler(),
			Ready: func() error { return nil }, Log: slog.New(slog.DiscardHandler),
		})
	}()
	for _, l := range listeners {
		if code, _ := get(t, "http://"+l.Addr().String()+"/healthz"); code != http.StatusUnauthorized {
			t.Errorf("%s without a password: %d", l.Addr(), code)
		}
		if code, body := get(t, "http://alice:alice123@"+l.Addr().String()+"/healthz"); code != http.StatusOK {
			t.Errorf("%s with its password: %d %s", l.Addr(), code, body)
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
