package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// brokenClaim is the reason why a control's proof fails.
type brokenClaim string

func (b brokenClaim) Error() string { return string(b) }

// Watch lets time pass in which a wrong agent could report something. It ends early if the
// agent does.
func (l *Lab) Watch(ctx context.Context, d time.Duration) error {
	l.Timeline.Add("watching for %s", d)
	watching, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if _, err := l.AwaitEvent(watching, stuckEvent); err != nil && watching.Err() == nil {
		return err
	}
	return ctx.Err()
}

// AwaitMetric waits until the sum over a metric's series is as demanded.
func (l *Lab) AwaitMetric(ctx context.Context, name string, atMost time.Duration, demand func(float64) bool) error {
	waiting, cancel := context.WithTimeout(ctx, l.atMost(atMost)+ScrapeAge)
	defer cancel()
	var last float64
	err := await(waiting, func() (bool, error) {
		m, err := l.Agent.Scrape()
		if err != nil {
			return false, err
		}
		sum, found := m.Sum(name)
		last = sum
		return found && demand(sum), nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return brokenClaim(fmt.Sprintf("the agent's %s is %v after %s: it did not see what happened", name, last, atMost))
	}
	if err == nil {
		l.Timeline.Add("the agent counts %s %v", name, last)
	}
	return err
}

// findLabel returns a sample that has one of the ports in a label.
func (m Metrics) findLabel(ports []uint16) (Sample, bool) {
	i := slices.IndexFunc(m, func(s Sample) bool {
		for _, v := range s.Labels {
			if slices.ContainsFunc(ports, func(p uint16) bool { return holdsPort(v, p) }) {
				return true
			}
		}
		return false
	})
	if i < 0 {
		return Sample{}, false
	}
	return m[i], true
}

// holdsPort reports whether a label's value is a port, or an address with it.
func holdsPort(value string, port uint16) bool {
	if value == fmt.Sprint(port) {
		return true
	}
	ap, err := netip.ParseAddrPort(value)
	return err == nil && ap.Port() == port
}
