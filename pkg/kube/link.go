package kube

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// link is the state of the connection to the API. It is up while every resource
// is watched. Servers end watches regularly, and a restart takes a moment, so a
// short gap does not count. A long one counts from the server's last activity.
type link struct {
	state    *cluster.State
	server   string
	activity *activity
	gap      time.Duration // that does not count
	log      *slog.Logger
	synced   chan struct{} // closed when everything was listed once

	mu       sync.Mutex
	gone     map[string]absence // resources that are not watched
	err      error
	wasUp    bool
	reported string // the last problem that was reported
}

// absence says when the end of a watch was noticed, and since when the watch
// may be silent: a connection that is lost is noticed late.
type absence struct{ noticed, since time.Time }

func newLink(state *cluster.State, server string, a *activity, gap time.Duration, log *slog.Logger, resources ...string) *link {
	l := &link{state: state, server: server, activity: a, gap: gap, log: log,
		synced: make(chan struct{}), gone: make(map[string]absence)}
	for _, r := range resources {
		l.gone[r] = l.absent()
	}
	l.check(time.Now())
	return l
}

func (l *link) absent() absence { return absence{noticed: time.Now(), since: l.activity.last()} }

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

// check reports the state of the link.
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
		l.reported = ""
		l.state.SetHealth(true, "API "+l.server, now)
		if !l.wasUp {
			l.wasUp = true
			close(l.synced)
		}
	case l.wasUp && now.Sub(first.noticed) <= l.gap:
	default:
		if why := l.problem(missing); why != l.reported {
			l.reported = why
			l.state.SetHealth(false, why, first.since)
		}
	}
}

func (l *link) problem(missing string) string {
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
