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
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
)

// listeners are where the agent answers. They are opened before anything
// runs, so that an address that cannot be had is all that a start tells of.
type listeners struct {
	metrics []net.Listener
	socket  net.Listener
	page    net.Listener // nil: there is none
}

func listen(ctx context.Context, c config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.metrics, err = exporter.Listen(ctx, c.web); err != nil {
		return l, err
	}
	if c.pageAddress != "" {
		if l.page, err = api.ListenPage(ctx, c.pageAddress); err != nil {
			return l, fmt.Errorf("--page-address: %w", err)
		}
	}
	if l.socket, err = listenSocket(ctx, c.socket, usualSocket); err != nil {
		return l, fmt.Errorf("--socket: %w", err)
	}
	return l, nil
}

// usualSocket is the default of --socket; tcpstuck looks for it there.
const usualSocket = "/run/tcpstuck/agent.sock"

// listenSocket listens on the unix socket. The folder of the usual one is the
// agent's own, and /run is empty after a boot. Any other has to be there.
func listenSocket(ctx context.Context, path, usual string) (net.Listener, error) {
	if path == usual {
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make its folder: %w", err)
		}
	}
	return api.ListenUnix(ctx, path)
}

// close closes them all, also those that were served and are closed already.
func (l listeners) close() {
	for _, one := range append(l.metrics, l.page, l.socket) {
		if one != nil {
			_ = one.Close()
		}
	}
}

// serveFlows serves single flows where only this host can ask: on the unix
// socket and on loopback.
func serveFlows(ctx context.Context, group *errgroup.Group, l listeners, o api.Options) {
	handler := api.Handler(o)
	group.Go(func() error { return api.Serve(ctx, l.socket, handler, o.Log) })
	if l.page != nil {
		group.Go(func() error { return api.Serve(ctx, l.page, api.LoopbackOnly(handler), o.Log) })
	}
}
