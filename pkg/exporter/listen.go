package exporter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/mdlayher/vsock"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

const vsockScheme = "vsock://"

// Listen opens what the flags name: addresses, or the sockets that systemd
// handed over. Where one cannot be had, it leaves none open, and its error
// names the flag. Who calls it closes what Serve was not given.
func Listen(ctx context.Context, c *web.FlagConfig) (listeners []net.Listener, err error) {
	if c.WebSystemdSocket != nil && *c.WebSystemdSocket {
		listeners, err = activation.Listeners()
		if err == nil && len(listeners) == 0 {
			err = errors.New("systemd handed no socket over")
		}
		if err != nil {
			return nil, fmt.Errorf("--web.systemd-socket: %w", err)
		}
		return listeners, nil
	}
	for _, address := range *c.WebListenAddresses {
		l, err := listen(ctx, address)
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			return nil, fmt.Errorf("--web.listen-address: serve metrics: %w", err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	if !strings.HasPrefix(address, vsockScheme) {
		return (&net.ListenConfig{Control: door.Modest}).Listen(ctx, "tcp", address)
	}
	where, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(where.Port(), 10, 32)
	if err != nil {
		return nil, err
	}
	return vsock.Listen(uint32(port), nil)
}

// checkAddress refuses an address without a port: the kernel would choose one,
// and where there is no host either, serve on every interface.
func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(strings.TrimPrefix(address, vsockScheme))
	if err != nil || port == "" {
		return fmt.Errorf("--web.listen-address=%s: want HOST:PORT or :PORT", address)
	}
	return nil
}
