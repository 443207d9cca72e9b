package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// Flags adds --web.listen-address and --web.config.file to the program. Their
// values are what Listen and Serve take.
func Flags(app *kingpin.Application, listenAddress string) *web.FlagConfig {
	return kingpinflag.AddFlags(app, listenAddress)
}

// ServeOptions is what the TCP port shows. All fields are required.
type ServeOptions struct {
	Web       *web.FlagConfig
	Listeners []net.Listener // guarded by doors; Serve closes them
	Metrics   http.Handler
	Ready     func() error // nil once the agent can be trusted, else why not yet
	Log       *slog.Logger
}

// CheckFlags says what is wrong with the flags before anything is served: the
// error names the flag.
func CheckFlags(c *web.FlagConfig) error {
	for _, address := range *c.WebListenAddresses {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	path := *c.WebConfigFile
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
	if err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	return nil
}

// Serve serves /metrics, /healthz and /readyz until the context ends, which
// is not an error. Nothing on this port tells about a single flow.
func Serve(ctx context.Context, opts ServeOptions) error {
	server := door.NewServer(handler(opts), opts.Log)
	err := door.Run(ctx, server, func() error { return web.ServeMultiple(opts.Listeners, server, opts.Web, opts.Log) })
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

func handler(opts ServeOptions) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", opts.Metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := opts.Ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	return mux
}
