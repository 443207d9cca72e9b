package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// dialFrom connects as dial does, from an address whose port is reported before
// the first SYN: an attempt that fails has a name, too. Only the kernel limits
// how long it waits. It takes only a fresh port.
func dialFrom(_ context.Context, family, source, address string, userTimeout time.Duration, multipath bool, fresh func(port uint16) bool, tell func(record.Record)) (netip.AddrPort, net.Conn, error) {
	from, err := netip.ParseAddr(source)
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	domain, protocol := unix.AF_INET6, unix.IPPROTO_TCP
	if family == "4" {
		domain = unix.AF_INET
	}
	if multipath {
		protocol = unix.IPPROTO_MPTCP
	}
	fd, port, err := bound(domain, protocol, from)
	for err == nil && !fresh(port) {
		_ = unix.Close(fd)
		fd, port, err = bound(domain, protocol, from)
	}
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	file := os.NewFile(uintptr(fd), "dialled")
	defer file.Close() // FileConn works on a duplicate
	if err := setUserTimeout(fd, userTimeout); err != nil {
		return netip.AddrPort{}, nil, err
	}
	local := netip.AddrPortFrom(from, port)
	tell(record.Record{Time: time.Now(), Kind: record.Dialling, Local: local, Remote: to})
	if err := unix.Connect(fd, sockaddr(domain, to)); err != nil {
		return local, nil, os.NewSyscallError("connect", err)
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return local, nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetKeepAlive(false) // FileConn switches it on
	}
	return local, conn, err
}

// bound returns a socket that is bound to a port of the kernel's choice.
func bound(domain, protocol int, from netip.Addr) (fd int, port uint16, err error) {
	fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return 0, 0, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, sockaddr(domain, netip.AddrPortFrom(from, 0))); err != nil {
		_ = unix.Close(fd)
		return 0, 0, os.NewSyscallError("bind", err)
	}
	return fd, boundPort(fd), nil
}

// sockaddr returns an address in the form of a socket's domain: IPv4 is mapped into
// IPv6 if that is the domain.
func sockaddr(domain int, a netip.AddrPort) unix.Sockaddr {
	if domain == unix.AF_INET {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func boundPort(fd int) uint16 {
	a, err := unix.Getsockname(fd)
	if err != nil {
		return 0
	}
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port)
	case *unix.SockaddrInet6:
		return uint16(a.Port)
	}
	return 0
}
