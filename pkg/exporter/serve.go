package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// ServeOptions is what the TCP port shows. All fields but Config are required.
type ServeOptions struct {
	Config    string         // file for TLS and authentication, as Prometheus' exporters have it; empty: neither
	Listeners []net.Listener // guarded by doors; Serve closes them
	Metrics   http.Handler
	Ready     func() error // nil once the agent can be trusted, else why not yet
	Log       *slog.Logger
}

// CheckConfig returns what is wrong with a file for TLS and authentication; an empty
// path names none.
func CheckConfig(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil {
		err = web.Validate(path)
	}
	return err
}

// Serve serves /metrics, /healthz and /readyz until the context ends, which
// is not an error. Nothing on this port shows a single flow.
func Serve(ctx context.Context, opts ServeOptions) error {
	h, config := handler(opts), &web.FlagConfig{WebConfigFile: &opts.Config}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range opts.Listeners {
		group.Go(func() error {
			return door.ServeBy(ctx, l, h, opts.Log, func(server *http.Server, l net.Listener) error {
				return web.Serve(l, server, config, opts.Log)
			})
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func handler(opts ServeOptions) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", opts.Metrics)
	mux.HandleFunc("GET /healthz", door.Alive)
	mux.HandleFunc("GET /readyz", door.Ready(opts.Ready))
	return mux
}
