package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"
)

// connectTo connects by system calls alone.
func connectTo(to netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("make socket: %w", err)
	}
	err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.Connect(fd, sockaddr(to)))
	if err != nil {
		return 0, errors.Join(fmt.Errorf("connect to %s: %w", to, err), unix.Close(fd))
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

// serve answers one connection after the other.
func serve(at netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make socket: %w", err)
	}
	for _, option := range []struct{ level, name int }{{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.IPPROTO_TCP, unix.TCP_NODELAY}} {
		err = errors.Join(err, unix.SetsockoptInt(fd, option.level, option.name, 1))
	}
	if err := errors.Join(err, unix.Bind(fd, sockaddr(at)), unix.Listen(fd, 128)); err != nil {
		return errors.Join(fmt.Errorf("listen at %s: %w", at, err), unix.Close(fd))
	}
	go func() {
		runtime.LockOSThread()
		for {
			conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
			if err != nil {
				continue
			}
			answer(conn)
			_ = unix.Close(conn)
		}
	}()
	return nil
}

// answer answers until the other side closes, or once if that side asks for it.
func answer(fd int) {
	block := make([]byte, blockBytes)
	for {
		n, err := read(fd, block)
		if n <= 0 || err != nil {
			return
		}
		kind := block[0]
		for kind == talkStream && n > 0 {
			n, _ = read(fd, block)
		}
		if n <= 0 || writeAll(fd, block[:n]) != nil || kind == talkConnect {
			return
		}
	}
}

// read is a read that a signal does not end.
func read(fd int, b []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, b); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("write: %w", err)
		}
		b = b[max(n, 0):]
	}
	return nil
}

func readAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := read(fd, b)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		b = b[n:]
	}
	return nil
}
