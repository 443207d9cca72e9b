package chaos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

// conn is a connection as a bare descriptor: thousands cost next to nothing.
type conn struct {
	fd int
	id flow.ID
}

// dial makes n connections from a namespace to an echo server, and exchanges one byte on
// each.
func dial(ns *namespace.Namespace, to netip.AddrPort, n int) ([]*conn, error) {
	var all []*conn
	for range n {
		c, err := dialOne(ns, to)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("connect to %s: %w", to, err)
		}
		all = append(all, c)
	}
	for _, c := range all {
		if err := c.ask(); err != nil {
			closeAll(all)
			return nil, fmt.Errorf("talk to %s: %w", to, err)
		}
	}
	return all, nil
}

// callTimeout is how long one call on a healthy connection may take.
const callTimeout = 20 * time.Second

func dialOne(ns *namespace.Namespace, to netip.AddrPort) (*conn, error) {
	return dialFrom(ns, netip.AddrPort{}, to)
}

// dialFrom makes a connection that starts at an address of the namespace; the
// zero one: the kernel chooses.
func dialFrom(ns *namespace.Namespace, from, to netip.AddrPort) (*conn, error) {
	c, err := begin(ns, from, to)
	if err != nil {
		return nil, err
	}
	err = c.await(unix.POLLOUT)
	if err == nil {
		var errno int
		errno, err = unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = unix.Errno(errno)
		}
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

// begin begins to connect, as dialFrom, and waits for nothing.
func begin(ns *namespace.Namespace, from, to netip.AddrPort) (c *conn, err error) {
	err = ns.Do(func() error {
		if c, err = newConn(); err != nil {
			return err
		}
		if from.IsValid() {
			if err := unix.Bind(c.fd, &unix.SockaddrInet4{Addr: from.Addr().As4(), Port: int(from.Port())}); err != nil {
				c.close()
				return fmt.Errorf("bind to %s: %w", from, err)
			}
		}
		err := unix.Connect(c.fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
		if err != nil && !errors.Is(err, unix.EINPROGRESS) {
			c.close()
			return fmt.Errorf("connect: %w", err)
		}
		return nil
	})
	return c, err
}

// newConn makes a socket in the calling thread's namespace.
func newConn() (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket: %w", err)
	}
	c := &conn{fd: fd}
	c.id, err = cookie(fd)
	if err == nil {
		err = c.giveUpAfter(time.Hour) // or the kernel aborts it in the middle of a run
	}
	if err == nil {
		err = vanish(fd, true)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// await waits until the connection is ready for something.
func (c *conn) await(events int16) error {
	for deadline := time.Now().Add(callTimeout); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: events}}, int(time.Until(deadline).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR): // the Go runtime's own signals
		case err != nil:
			return fmt.Errorf("poll: %w", err)
		case n == 0:
			return fmt.Errorf("nothing happens for %v", callTimeout)
		default:
			return nil
		}
	}
}

// giveUpAfter sets how long the kernel tries; 0: as its namespace is set.
func (c *conn) giveUpAfter(d time.Duration) error {
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds())); err != nil {
		return fmt.Errorf("set user timeout: %w", err)
	}
	return nil
}

// cookie returns the agent's id of the flow.
func cookie(fd int) (flow.ID, error) {
	id, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("read socket cookie: %w", err)
	}
	return flow.ID(id), nil
}

// ask sends a byte and waits for it to come back.
func (c *conn) ask() error {
	b := []byte{'?'}
	if _, err := unix.Write(c.fd, b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := c.await(unix.POLLIN); err != nil {
		return err
	}
	if n, err := unix.Read(c.fd, b); n != 1 {
		return fmt.Errorf("read %d bytes: %w", n, err)
	}
	return nil
}

// write sends a byte that gets no answer.
func (c *conn) write() error {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], uint64(c.id))
	if _, err := unix.Write(c.fd, b[:]); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// vanish makes a socket, and those that it will accept, end with a reset when it is
// closed, even by its process's death. Otherwise the kernel would retransmit for the hour
// that the connection may take.
func vanish(fd int, yes bool) error {
	linger := unix.Linger{}
	if yes {
		linger.Onoff = 1
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &linger); err != nil {
		return fmt.Errorf("set linger: %w", err)
	}
	return nil
}

func (c *conn) close() { _ = unix.Close(c.fd) }

// end closes a connection that some list still has.
func (c *conn) end() {
	c.close()
	c.fd = -1
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}
