package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
)

// acceptor accepts connections. It holds some of them, and reads the others.
type acceptor struct {
	mu   sync.Mutex
	held map[netip.Addr][]net.Conn // by the backend's address
}

func newAcceptor() (func([]string) (string, error), error) {
	a := &acceptor{held: map[netip.Addr][]net.Conn{}}
	return a.obey, nil
}

func listen(address string, take func(net.Conn)) error {
	l, err := (&net.ListenConfig{KeepAlive: -1, Control: outlast}).Listen(context.Background(), "tcp4", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			take(conn)
		}
	}()
	return nil
}

func (a *acceptor) hold(conn net.Conn) {
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		_ = conn.Close()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held[local.Addr()] = append(a.held[local.Addr()], conn)
}

func drain(conn net.Conn) {
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
}

// obey understands
//
//	hold ADDRESS:PORT    keep the connections that are opened there
//	drain ADDRESS:PORT   read and forget what is sent there
//	count ADDRESS        how many connections to this address are kept
//	write ADDRESS        write a few bytes on each of these
func (a *acceptor) obey(args []string) (string, error) {
	if len(args) != 2 {
		return "", fmt.Errorf("what is %q?", args)
	}
	switch args[0] {
	case "hold":
		return "listening", listen(args[1], a.hold)
	case "drain":
		return "listening", listen(args[1], drain)
	}
	addr, err := netip.ParseAddr(args[1])
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	conns := a.held[addr]
	a.mu.Unlock()
	if args[0] == "count" {
		return strconv.Itoa(len(conns)), nil
	}
	return "written", writeEach(conns)
}
