package namespace

import (
	"context"
	"net"
	"time"
)

// Dial connects to a literal address from within the namespace; it fits
// http.Transport.DialContext.
func (n *Namespace) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.Do(func() error {
		// A literal address and no second try: the socket is made on this
		// thread.
		d := net.Dialer{FallbackDelay: -1, Timeout: time.Second}
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
