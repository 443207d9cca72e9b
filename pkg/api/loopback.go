package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// ListenPage listens on a TCP address, which must be of the loopback
// interface: what it shows is for this node's operators only.
func ListenPage(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("page address: %w", err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("page address %s is not of the loopback interface", address)
	}
	l, err := door.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("serve page: %w", err)
	}
	return l, nil
}

// Taken reports whether ListenPage failed because the kernel refused a valid
// address: another program has it, or the host lacks it.
func Taken(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno)
}

// LoopbackOnly refuses requests whose Host is not a loopback name: a web
// site whose name was made to resolve to 127.0.0.1 would otherwise read the
// page through its visitor's browser.
func LoopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !loopback(host) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintln(w, `{"error":"the Host of the request is not a loopback name"}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
