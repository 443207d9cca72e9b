package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// listeners are the addresses at which the agent answers, each behind a door.
// They are opened before anything runs, so that a start that fails for an address
// reports only that.
//
// Prometheus, probes and tcpstuck ask the port of the metrics and the socket: an
// agent that they cannot reach would look like a node without stuck flows. If
// one of them is taken, the agent ends. Without the page it continues.
type listeners struct {
	metrics []net.Listener
	socket  net.Listener
	page    net.Listener // nil: there is none, or none yet
	retry   *page        // nil: no page is wanted
}

func listen(ctx context.Context, c config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	places, err := door.Places(len(c.metricsAddresses) + 2)
	if err != nil {
		return l, err
	}
	if places < door.MostPlaces {
		c.log.Warn("there are few descriptors: each port holds fewer connections", "connections", places, "raise", "ulimit -n, LimitNOFILE=")
	}
	for _, address := range c.metricsAddresses {
		one, err := door.Listen(ctx, address)
		if err != nil {
			return l, fmt.Errorf("--web.listen-address: serve metrics: %w", err)
		}
		l.metrics = append(l.metrics, door.Guard(one, places))
	}
	if c.pageAddress != "" {
		l.retry = &page{address: c.pageAddress, places: places, again: pageAgain}
		if l.page, err = l.retry.open(ctx); err != nil {
			return l, err
		}
	}
	socket, err := listenSocket(ctx, c.socket, usualSocket)
	if err != nil {
		return l, fmt.Errorf("--socket: %w", err)
	}
	l.socket = door.Guard(socket, places)
	return l, nil
}

// usualSocket is the default of --socket; tcpstuck looks for it there.
const usualSocket = "/run/tcpstuck/agent.sock"

// listenSocket listens on the unix socket. The agent makes the folder of the default,
// because /run is empty after a boot. Any other folder must exist.
func listenSocket(ctx context.Context, path, usual string) (net.Listener, error) {
	if path == usual {
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make its folder: %w", err)
		}
	}
	return api.ListenUnix(ctx, path)
}

// close closes all of them, even those that were served and are closed already.
func (l listeners) close() {
	for _, one := range append(l.metrics, l.page, l.socket) {
		if one != nil {
			_ = one.Close()
		}
	}
}

// serveFlows serves single flows where only this host can ask: on the unix
// socket and on loopback. Profiles are only on the socket.
func serveFlows(ctx context.Context, group *errgroup.Group, l listeners, o api.Options) {
	private := o
	private.Profiles = true
	group.Go(func() error { return door.Serve(ctx, l.socket, api.Handler(private), o.Log) })
	if l.retry != nil {
		group.Go(func() error { return l.retry.serve(ctx, l.page, api.LoopbackOnly(api.Handler(o)), o.Log) })
	}
}
