package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// pageAgain is how long the agent waits before it tries the page's address again.
const pageAgain = 10 * time.Second

// page serves flows on loopback. If another program has its address, the agent works
// without it, says so, and tries again.
type page struct {
	address string
	places  int
	again   time.Duration // until another try

	mu     sync.Mutex
	health flow.Health // without a source while the page was never missing
}

// open opens the page's address. It returns nil if the address is taken, and an error
// if it is invalid.
func (p *page) open(ctx context.Context) (net.Listener, error) {
	l, err := api.ListenPage(ctx, p.address)
	switch {
	case api.Taken(err):
		p.missing(err)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("--page-address: %w", err)
	}
	p.found()
	return door.Guard(l, p.places), nil
}

// serve serves on l until ctx ends. l is nil if the address is taken.
func (p *page) serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	for l == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(p.again):
		}
		var err error
		if l, err = p.open(ctx); err != nil {
			return err
		}
	}
	return door.Serve(ctx, l, h, log)
}

func (p *page) missing(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.health = flow.Health{
		Source: flow.SourcePage, LastSync: p.health.LastSync,
		Detail: fmt.Sprintf("%v; end what has the address, or give --page-address another", err),
	}
}

func (p *page) found() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.health.Source != "" {
		p.health.Up, p.health.Detail = true, ""
		p.health.LastSync = time.Now()
	}
}

// Health returns the page's health once it was missing.
func (p *page) Health() []flow.Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.health.Source == "" {
		return nil
	}
	return []flow.Health{p.health}
}
