package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// JoinCrowd is one process of the crowd: it connects sockets to each other
// over its namespace's loopback, prints the ids of some, writes on these after a
// signal on begin, and waits for its end.
func JoinCrowd(ctx context.Context, n int, ids io.Writer, begin <-chan os.Signal) error {
	address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(n + 1)}), 9000)
	listener, err := net.Listen("tcp4", address.String())
	if err != nil {
		return fmt.Errorf("join the crowd: %w", err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return fmt.Errorf("join the crowd: %w", err)
	}
	defer file.Close()
	server := int(file.Fd())
	if err := errors.Join(unix.SetNonblock(server, false), vanish(server, true)); err != nil {
		return fmt.Errorf("join the crowd: %w", err)
	}
	var stuck []*conn
	for i := range crowdPairs {
		c, err := pair(server, address)
		if err != nil {
			return err
		}
		if i < crowdStuck {
			stuck = append(stuck, c)
		}
	}
	for _, c := range stuck {
		if _, err := fmt.Fprintln(ids, c.id); err != nil {
			return fmt.Errorf("tell an id: %w", err)
		}
	}
	<-begin
	for _, c := range stuck {
		if err := c.write(); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// pair connects two sockets.
func pair(server int, address netip.AddrPort) (*conn, error) {
	c, err := newConn()
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(c.fd, &unix.SockaddrInet4{Addr: address.Addr().As4(), Port: int(address.Port())}); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if _, _, err := unix.Accept4(server, unix.SOCK_CLOEXEC); err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	return c, nil
}
