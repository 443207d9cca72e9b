package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dial connects to address with a socket of the wanted family. A mapped one is an IPv6
// socket with an IPv4 peer, as dual-stack programs of many languages use it; Go's own
// dialer never makes one.
func dial(ctx context.Context, family, address string, userTimeout time.Duration, multipath bool) (net.Conn, error) {
	control := func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = setUserTimeout(int(fd), userTimeout) }); e != nil {
			return e
		}
		return err
	}
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: -1, Control: control}
	dialer.SetMultipathTCP(multipath)
	switch family {
	case "4", "6":
		return dialer.DialContext(ctx, "tcp"+family, address)
	case "mapped":
		return dialMapped(address, userTimeout, multipath)
	}
	return nil, fmt.Errorf("unknown family %q", family)
}

func dialMapped(address string, userTimeout time.Duration, multipath bool) (net.Conn, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	protocol := unix.IPPROTO_TCP
	if multipath {
		protocol = unix.IPPROTO_MPTCP
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "mapped")
	defer file.Close() // FileConn works on a duplicate
	if err := setUserTimeout(fd, userTimeout); err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet6{Port: to.Port, Addr: netip.AddrFrom4([4]byte(to.IP.To4())).As16()}); err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetKeepAlive(false) // FileConn switches it on
}

func setUserTimeout(fd int, d time.Duration) error {
	if d == 0 {
		return nil
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds())))
}

// setKeepalive makes the kernel probe after idle, and again at that interval, until so many
// probes have no answer; 0 leaves it off.
func setKeepalive(conn net.Conn, idle time.Duration, probes int) error {
	if idle == 0 {
		return nil
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("keepalive on a %T", conn)
	}
	return tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle, Interval: idle, Count: probes})
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
