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
// so a gap counts only when it lasts; it then counts from when the server was
// last heard.
type link struct {
	state  *cluster.State
	server string
	heard  *heard
	gap    time.Duration // what does not count
	log    *slog.Logger
	synced chan struct{} // closed when everything was listed once

	mu    sync.Mutex
	gone  map[string]absence // resources that are not watched
	err   error
	wasUp bool
	told  string // the last complaint
}

// absence is when a watch was found to have ended, and since when it may have
// said nothing: a connection that dies without a word is noticed late.
type absence struct{ noticed, since time.Time }

func newLink(state *cluster.State, server string, h *heard, gap time.Duration, log *slog.Logger, resources ...string) *link {
	l := &link{state: state, server: server, heard: h, gap: gap, log: log,
		synced: make(chan struct{}), gone: make(map[string]absence)}
	for _, r := range resources {
		l.gone[r] = l.absent()
	}
	l.check(time.Now())
	return l
}

func (l *link) absent() absence { return absence{noticed: time.Now(), since: l.heard.last()} }

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

// closed records that a watch ended.
func (l *link) closed(resource string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[resource] = l.absent()
}

// failed records why a resource cannot be listed or watched.
func (l *link) failed(resource string, err error) {
	l.log.Debug("kubernetes API", "resource", resource, "err", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, gone := l.gone[resource]; !gone {
		l.gone[resource] = l.absent()
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
	var first absence
	var missing string
	for resource, a := range l.gone {
		if missing == "" || a.noticed.Before(first.noticed) {
			first, missing = a, resource
		}
	}
	switch {
	case missing == "":
		l.told = ""
		l.state.SetHealth(true, "API "+l.server, now)
		if !l.wasUp {
			l.wasUp = true
			close(l.synced)
		}
	case l.wasUp && now.Sub(first.noticed) <= l.gap:
	default:
		if why := l.complaint(missing); why != l.told {
			l.told = why
			l.state.SetHealth(false, why, first.since)
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
