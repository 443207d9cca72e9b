package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// shutdownTimeout is how long a running request may take after ctx has ended.
const shutdownTimeout = 3 * time.Second

// Serve lets a handler answer the callers of a listener, which is a Door, until ctx
// ends. That is no error. Running requests then have 3 s. Serve closes the listener.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	return ServeBy(ctx, l, h, log, (*http.Server).Serve)
}

// ServeBy is Serve for a server that serves its listener in another way, such as
// through TLS.
func ServeBy(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, serve func(*http.Server, net.Listener) error) error {
	server := newServer(h, log)
	served := make(chan error, 1)
	go func() { served <- serve(server, l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close() // a caller that does not read delays no other
	}
	if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: shut down: %w", l.Addr(), err)
	}
	return nil
}
