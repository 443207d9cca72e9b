package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
)

// connector opens connections and holds them, by the name of their group.
type connector struct {
	groups map[string][]net.Conn
}

func newConnector() (func([]string) (string, error), error) {
	c := connector{groups: map[string][]net.Conn{}}
	return c.obey, nil
}

// obey understands
//
//	open GROUP COUNT ADDRESS:PORT   connect so often
//	write GROUP FROM TO             a few bytes on each of these
//	pour GROUP                      on each, as much as it takes, until it closes
//	churn COUNT ADDRESS:PORT        connect and close so often
func (c *connector) obey(args []string) (string, error) {
	switch {
	case len(args) == 4 && args[0] == "open":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return "", err
		}
		return "opened", c.open(args[1], n, args[3])
	case len(args) == 4 && args[0] == "write":
		from, err1 := strconv.Atoi(args[2])
		to, err2 := strconv.Atoi(args[3])
		if err := errors.Join(err1, err2); err != nil {
			return "", err
		}
		return "written", writeEach(c.groups[args[1]][from:to])
	case len(args) == 2 && args[0] == "pour":
		for _, conn := range c.groups[args[1]] {
			go pour(conn)
		}
		return "pouring", nil
	case len(args) == 2 && args[0] == "close":
		closeEach(c.groups[args[1]])
		delete(c.groups, args[1])
		return "closed", nil
	case len(args) == 3 && args[0] == "churn":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return "", err
		}
		return "churned", churn(n, args[2])
	}
	return "", fmt.Errorf("what is %q?", args)
}

// silent makes connections without keepalive: what waits for its turn outlives
// a path that is cut for minutes.
var silent = net.Dialer{KeepAlive: -1}

const dialers = 32 // connections that are opened at the same time

func (c *connector) open(group string, n int, address string) error {
	conns := make([]net.Conn, n)
	err := concurrently(n, func(i int) (err error) {
		conns[i], err = silent.Dial("tcp4", address)
		return err
	})
	if err != nil {
		return err
	}
	c.groups[group] = append(c.groups[group], conns...)
	return nil
}

func churn(n int, address string) error {
	return concurrently(n, func(int) error {
		conn, err := net.Dial("tcp4", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func concurrently(n int, do func(int) error) error {
	errs := make([]error, dialers)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			for i := d; i < n && errs[d] == nil; i += dialers {
				errs[d] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func writeEach(conns []net.Conn) error {
	var errs []error
	for _, conn := range conns {
		_, err := conn.Write([]byte("storm\n"))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func pour(conn net.Conn) {
	block := make([]byte, 64<<10)
	for {
		if _, err := conn.Write(block); err != nil {
			return // it was closed
		}
	}
}

func closeEach(conns []net.Conn) {
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// acceptor holds what is opened to port and reads what is sent to sinkPort.
type acceptor struct {
	mu   sync.Mutex
	held map[netip.Addr][]net.Conn // by the backend's address
}

func newAcceptor() (func([]string) (string, error), error) {
	a := &acceptor{held: map[netip.Addr][]net.Conn{}}
	for p, take := range map[int]func(net.Conn){port: a.hold, sinkPort: drain} {
		l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp4", ":"+strconv.Itoa(p))
		if err != nil {
			return nil, err
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
	}
	return a.obey, nil
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

// obey understands "count ADDRESS" and "write ADDRESS": of the connections
// that came in there.
func (a *acceptor) obey(args []string) (string, error) {
	if len(args) != 2 {
		return "", fmt.Errorf("what is %q?", args)
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
