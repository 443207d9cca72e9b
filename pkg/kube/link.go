package kube

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// link is how the connection to the API fares: up while every resource is
// being watched. Servers end watches regularly, and a restart takes a moment,
// so a gap counts only when it lasts; it then counts from its beginning.
type link struct {
	state  *cluster.State
	server string
	silent time.Duration // how long a dead connection may go unnoticed
	gap    time.Duration // what does not count
	log    *slog.Logger
	synced chan struct{} // closed when everything was listed once

	mu    sync.Mutex
	gone  map[string]time.Time // resources that are not watched, and since when
	err   error
	wasUp bool
	told  string // the last complaint
}

func newLink(state *cluster.State, server string, silence, gap time.Duration, log *slog.Logger, resources ...string) *link {
	l := &link{state: state, server: server, silent: silence * 3 / 2, gap: gap, log: log,
		synced: make(chan struct{}), gone: make(map[string]time.Time)}
	for _, r := range resources {
		l.gone[r] = time.Now()
	}
	l.check(time.Now())
	return l
}

// opened records that a resource is listed and watched.
func (l *link) opened(resource string) {
	l.mu.Lock()
	delete(l.gone, resource)
	up := len(l.gone) == 0
	if up {
		l.err = nil
	}
	l.mu.Unlock()
	if up {
		l.check(time.Now())
	}
}

// closed records that a watch ended. What it last said may be that old.
func (l *link) closed(resource string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[resource] = time.Now().Add(-l.silent)
}

// failed records why a resource cannot be listed or watched.
func (l *link) failed(resource string, err error) {
	l.log.Debug("kubernetes API", "resource", resource, "err", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, gone := l.gone[resource]; !gone {
		l.gone[resource] = time.Now().Add(-l.silent)
	}
	l.err = err
}

// up reports whether every resource is watched.
func (l *link) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.gone) == 0
}

// check tells the state how the link is.
func (l *link) check(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var since time.Time
	var missing string
	for resource, at := range l.gone {
		if since.IsZero() || at.Before(since) {
			since, missing = at, resource
		}
	}
	switch {
	case since.IsZero():
		l.told = ""
		l.state.SetHealth(true, "API "+l.server, now)
		if !l.wasUp {
			l.wasUp = true
			close(l.synced)
		}
	case l.wasUp && now.Sub(since) <= l.gap+l.silent:
	default:
		if why := l.complaint(missing); why != l.told {
			l.told = why
			l.state.SetHealth(false, why, since)
		}
	}
}

func (l *link) complaint(missing string) string {
	if l.err != nil {
		return fmt.Sprintf("API %s: %s", l.server, oneLine(l.err))
	}
	return fmt.Sprintf("API %s: waiting for %s", l.server, missing)
}

// run checks the link until ctx ends.
func (l *link) run(ctx context.Context) {
	ticker := time.NewTicker(min(time.Second, l.gap))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			l.check(now)
		}
	}
}
