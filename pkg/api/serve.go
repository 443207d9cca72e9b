package api

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// Serve serves the handler on the listener until the context ends, which is
// not an error, and closes the listener.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := door.NewServer(h, log)
	if err := door.Run(ctx, server, func() error { return server.Serve(l) }); err != nil {
		return fmt.Errorf("serve API on %s: %w", l.Addr(), err)
	}
	return nil
}
