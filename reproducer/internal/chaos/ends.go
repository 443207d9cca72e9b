package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

// heldPort is the port on which this program itself listens in a pod.
const heldPort = 9000

// listenIn listens in a pod. receive is the size of the receive buffers of accepted
// sockets, in bytes; 0: the kernel's choice.
func listenIn(p *cluster.Pod, receive int) (listener net.Listener, err error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if receive == 0 {
			return nil
		}
		var set error
		err := c.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receive) })
		return errors.Join(err, set)
	}}
	err = p.NS.Do(func() error {
		listener, err = config.Listen(context.Background(), "tcp4", fmt.Sprintf("%s:%d", p.Addr, heldPort))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen in a pod: %w", err)
	}
	return listener, nil
}

// connectTo makes connections from an address of a namespace (the zero one: any) and holds
// their other ends, too. On an error it returns the connections so far.
func connectTo(ns *namespace.Namespace, from netip.Addr, listener net.Listener, n int) (clients, servers []*conn, err error) {
	to := netip.MustParseAddrPort(listener.Addr().String())
	for range n {
		c, err := dialFrom(ns, netip.AddrPortFrom(from, 0), to)
		if err != nil {
			return clients, servers, err
		}
		clients = append(clients, c)
		s, err := acceptOne(listener)
		if err != nil {
			return clients, servers, err
		}
		servers = append(servers, s)
	}
	return clients, servers, nil
}

func acceptOne(listener net.Listener) (*conn, error) {
	accepted, err := listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	defer accepted.Close()
	file, err := accepted.(*net.TCPConn).File()
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	c := &conn{fd: fd}
	c.id, err = cookie(fd)
	if err := errors.Join(err, vanish(fd, true)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}
