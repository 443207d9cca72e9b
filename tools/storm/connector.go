package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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
//	write GROUP [FROM TO]           write a few bytes on each of these, or on all
//	pour GROUP                      write on each as much as it takes, until it closes
//	churn COUNT ADDRESS:PORT        connect and close so often
func (c *connector) obey(args []string) (string, error) {
	switch {
	case len(args) == 4 && args[0] == "open":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return "", err
		}
		return "opened", c.open(args[1], n, args[3])
	case len(args) == 2 && args[0] == "write":
		return "written", writeEach(c.groups[args[1]])
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

// silent makes connections without keepalive, so that those that wait for their
// turn outlive a path that is cut for minutes.
var silent = net.Dialer{KeepAlive: -1, Control: outlast}

// outlast makes the kernel keep a connection, or those that a listener accepts,
// for an hour: a storm may outlast the largest number of retransmissions. Once its
// process ends, also if it is killed, the kernel drops the connection at once.
// Otherwise it would retransmit for the rest of the hour, without a process and in a
// namespace that nobody can enter, and slow down whatever is measured next.
func outlast(_, _ string, c syscall.RawConn) error {
	var timeout, linger error
	err := c.Control(func(fd uintptr) {
		timeout = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(time.Hour.Milliseconds()))
		linger = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
	return errors.Join(err, timeout, linger)
}

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
