package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

const (
	healthyBusy = 100 // that ask and are answered
	healthyIdle = 100 // silent and healthy
	askInterval = 20 * time.Millisecond
)

// healthy are connections that no agent may ever report.
type healthy struct {
	busy, idle []*conn
	cancel     context.CancelFunc
	done       chan struct{}
	err        error // of a connection that was not healthy after all
}

func startHealthy(ns *namespace.Namespace, server netip.AddrPort) (*healthy, error) {
	all, err := dial(ns, server, healthyBusy+healthyIdle)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &healthy{busy: all[:healthyBusy], idle: all[healthyBusy:], cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		h.err = h.talk(ctx)
	}()
	return h, nil
}

func (h *healthy) talk(ctx context.Context) error {
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := h.busy[n%len(h.busy)].ask(); err != nil {
			return fmt.Errorf("a healthy connection: %w", err)
		}
	}
}

// stop ends the talk, and says whether every connection was healthy until then, the silent
// ones too.
func (h *healthy) stop() error {
	h.cancel()
	<-h.done
	err := h.err
	for _, c := range h.idle {
		err = errors.Join(err, c.ask())
	}
	closeAll(h.busy)
	closeAll(h.idle)
	return err
}
