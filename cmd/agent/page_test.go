package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/progtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// The agent works without its page, is ready, and says what is wrong: in its
// log once, in what dump shows, and to Prometheus.
func TestAPageWhoseAddressIsTaken(t *testing.T) {
	defer goleak.VerifyNone(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	address := busy.Addr().String()
	metrics := free(t)
	c := agent(t, "--page-address="+address, "--web.listen-address="+metrics)
	log := &progtest.Output{}
	c.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, c) }()
	client := api.NewClient(c.socket)
	defer client.Close()
	awaitSocket(t, c.socket)
	list, err := client.Flows(ctx, api.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var page flow.Health
	for _, h := range list.Sources {
		if h.Source == flow.SourcePage {
			page = h
		}
	}
	if page.Up || !strings.Contains(page.Detail, address) || !strings.Contains(page.Detail, "give --page-address another") {
		t.Errorf("dump shows %+v", page)
	}
	scraped := string(get(t, "http://"+metrics+"/metrics"))
	if !strings.Contains(scraped, `tcpstuck_source_up{source="page"} 0`) {
		t.Error("Prometheus does not learn of it")
	}
	get(t, "http://"+metrics+"/readyz")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), address); n != 1 {
		t.Errorf("%d lines of the log name the address: %s", n, log)
	}
}

// A caller decides how much a profile costs, so only the socket has them.
func TestProfilesAreOnTheSocketAlone(t *testing.T) {
	defer goleak.VerifyNone(t)
	address, metrics := free(t), free(t)
	c := agent(t, "--page-address="+address, "--web.listen-address="+metrics)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, c) }()
	client := api.NewClient(c.socket)
	defer client.Close()
	awaitSocket(t, c.socket)
	if _, err := client.Flows(ctx, api.Query{}); err != nil { // it is ready
		t.Fatal(err)
	}
	socket := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", c.socket)
	}}}
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, ask := range []struct {
		client *http.Client
		host   string
		want   int
	}{{socket, "agent", 200}, {plain, address, 404}, {plain, metrics, 404}} {
		resp, err := ask.client.Get("http://" + ask.host + "/debug/pprof/goroutine?debug=1")
		if err != nil {
			t.Errorf("%s: %v", ask.host, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != ask.want {
			t.Errorf("%s: %d, want %d", ask.host, resp.StatusCode, ask.want)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// free returns an address that is free now.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	return b.Bytes()
}

// Once the address is free the page is there, and its health says so.
func TestThePageComesOnceItsAddressIsFree(t *testing.T) {
	defer goleak.VerifyNone(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &page{address: busy.Addr().String(), places: 4, again: time.Millisecond}
	l, err := p.open(t.Context())
	if l != nil || err != nil {
		t.Fatalf("%v, %v", l, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.serve(ctx, l, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
	if h := p.Health(); len(h) != 1 || h[0].Up {
		t.Errorf("while it is taken: %+v", h)
	}
	if err := busy.Close(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(time.Minute); !p.Health()[0].Up; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is free, and the page is not there: %+v", p.Health())
		}
	}
	if h := p.Health()[0]; h.Detail != "" || h.LastSync.IsZero() {
		t.Errorf("once it is free: %+v", h)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A page that was never missing is not reported.
func TestAPageThatIsThereIsNoSource(t *testing.T) {
	p := &page{address: "127.0.0.1:0", places: 4}
	l, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if h := p.Health(); h != nil {
		t.Errorf("%+v", h)
	}
}
