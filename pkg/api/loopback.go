package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ListenPage listens on a TCP address, which must be of the loopback
// interface: what is told here is for this node's operators only.
func ListenPage(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("page address: %w", err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("page address %s is not of the loopback interface", address)
	}
	config := net.ListenConfig{Control: modest}
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve page: %w", err)
	}
	return l, nil
}

const (
	pageBuffer  = 128 << 10        // bytes that the kernel may hold for one client
	pageTimeout = 10 * time.Second // until it gives up one that does not read
)

// modest limits what the listener's connections may cost: a client that does
// not read would else have the kernel hold megabytes, and minutes after the
// agent has hung up on it. Accepted sockets inherit both.
func modest(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, pageBuffer),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(pageTimeout.Milliseconds())),
		)
	})
	return errors.Join(err, set)
}

// tcpUserTimeout is TCP_USER_TIMEOUT, in milliseconds.
const tcpUserTimeout = 0x12

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
