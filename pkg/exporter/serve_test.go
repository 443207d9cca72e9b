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

func flags(addresses ...string) *web.FlagConfig {
	systemd, file := false, ""
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
	listeners, err := exporter.Listen(t.Context(), flags("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	var ready atomic.Bool
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- exporter.Serve(ctx, exporter.ServeOptions{
			Web: flags("127.0.0.1:0"), Listeners: listeners,
			Metrics: exporter.New(options(flowtest.NewReader(), busyKernel())).Handler(),
			Ready: func() error {
				if ready.Load() {
					return nil
				}
				return errors.New("the first sweep has not ended")
			},
			Log: slog.New(slog.DiscardHandler),
		})
	}()
	base := "http://" + listeners[0].Addr().String()

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

func TestListenOnABusyPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := free.Addr().String()
	_ = free.Close()
	_, err = exporter.Listen(t.Context(), flags(first, l.Addr().String()))
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want one clear error", err)
	}
	if again, err := net.Listen("tcp", first); err != nil {
		t.Errorf("the other address is held: %v", err)
	} else {
		_ = again.Close()
	}
}

func TestAddressesWithoutAPortAreRefused(t *testing.T) {
	for address, says := range map[string]string{
		"":              "--web.listen-address=: want HOST:PORT",
		":":             "--web.listen-address=:: want HOST:PORT",
		"localhost":     "want HOST:PORT",
		"127.0.0.1:":    "want HOST:PORT",
		":9797":         "",
		"[::1]:9797":    "",
		"vsock://:9797": "",
	} {
		err := exporter.CheckFlags(flags(":9797", address))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", address, err, says)
		}
	}
}
