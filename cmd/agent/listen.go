package main

import (
	"context"
	"fmt"
	"net"

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
	if l.socket, err = api.ListenUnix(ctx, c.socket); err != nil {
		return l, fmt.Errorf("--socket: %w", err)
	}
	return l, nil
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
